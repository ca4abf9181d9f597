{{/*
The operator's configuration file: the values that are settings, as they are. `kubeconfig` is no value: in a pod the
service account is used. A unit test compares the list with `sluice.config.Settings`.
*/}}
{{- define "sluice.config" -}}
{{- $_ := required "installationId is mandatory: a name for this installation, part of every AWS name and owner tag (--set installationId=my-cluster). It must never change later." .Values.installationId -}}
{{- if and (not .Values.lease.enabled) (gt (int .Values.replicaCount) 1) -}}
{{- fail "lease.enabled is false, so two replicas would both write: set replicaCount to 1 or lease.enabled to true" -}}
{{- end -}}
{{- pick .Values "installationId" "region" "endpointUrl" "watchNamespaces" "workers" "driftInterval" "driftAttributesInterval" "discoveryPropagation" "dryRun" "suspend" "objectMetrics" "teamLabel" "cost" "aws" "lease" "http" "log" "tracing" "notifications" "awsEvents" "accounts" "tenancy" | toYaml -}}
{{- end -}}
