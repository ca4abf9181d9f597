"""AWS's protocols over one HTTP port, driven by botocore's own service models.

Everything a request or an answer must look like is compiled once per operation from the model that
boto3 itself uses, so a member that exists there exists here, and a constraint there is refused here.
"""
