{{/*
Objects for Prometheus and Grafana are the same but for their kind: names and labels in one place.
Call with (dict "root" $ "own" <values of the object> "name" <suffix>).
*/}}
{{- define "sluice.monitoringMetadata" -}}
name: {{ include "sluice.fullname" .root }}{{ with .name }}-{{ . }}{{ end }}
namespace: {{ default .root.Release.Namespace .own.namespace }}
labels:
  {{- merge (deepCopy .own.labels) (include "sluice.labels" .root | fromYaml) | toYaml | nindent 2 }}
{{- end -}}

{{/*
How a replica is scraped. honorLabels: series about a custom resource carry its namespace, which must win over the
operator's own.
*/}}
{{- define "sluice.endpoint" -}}
path: /metrics
honorLabels: true
{{- with .interval }}
interval: {{ . }}
{{- end }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- end -}}

{{/* Alerts' links: to your copy of the runbook when there is one. */}}
{{- define "sluice.runbook" -}}
{{- default "docs/runbook.md" .Values.monitoring.runbookUrl -}}
{{- end -}}
