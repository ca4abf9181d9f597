"""Amazon ECR: repositories, images with true digests, layers, policies; and the pulls of ECS."""
