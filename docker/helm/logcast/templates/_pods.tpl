{{- define "logcast.labels" -}}
app.kubernetes.io/name: logcast
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* What selects the pods of a role: (dict "top" $ "role" "gateway") */}}
{{- define "logcast.selector" -}}
app.kubernetes.io/name: logcast
app.kubernetes.io/instance: {{ .top.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{- define "logcast.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "logcast.port" -}}
{{- get (dict "ingest" 8081 "worker" 8082 "consumers" 8083 "gateway" 8080) . -}}
{{- end }}

{{/* Where gateways find each ingest for lossless pushes. */}}
{{- define "logcast.ingestUrl" -}}
{{- $urls := list -}}
{{- range $n := until (int .Values.ingest.replicas) -}}
{{- $urls = append $urls (printf "ws://%s-ingest-%d.%s-ingests:1936" $.Release.Name $n $.Release.Name) -}}
{{- end -}}
{{- join "," $urls | quote -}}
{{- end }}

{{/* Settings that are secrets, from files. */}}
{{- define "logcast.secretSettings" -}}
{{- range $setting, $file := .Values.secretFiles }}
- name: LOGCAST_{{ upper $setting }}_FILE
  value: /run/secrets/logcast/{{ $file }}
{{- end }}
- name: LOGCAST_LINK_KEYS_FILE
  value: /run/secrets/logcast/links.keys
{{- end }}

{{/* Files of the secret that a role gets: (dict "top" $ "users" (list "gateway")) */}}
{{- define "logcast.secretItems" -}}
- { key: ca.pem, path: ca.pem }
- { key: links.keys, path: links.keys }
{{- range $file := values .top.Values.secretFiles | uniq | sortAlpha }}
- { key: {{ $file }}, path: {{ $file }} }
{{- end }}
{{- range .users }}
- { key: kafka-{{ . }}.password, path: kafka-{{ . }}.password }
{{- end }}
{{- end }}

{{/* The pod of a role: (dict "top" $ "role" "gateway" "ports" (list …) "spool" false) */}}
{{- define "logcast.pod" -}}
{{- $values := get .top.Values .role -}}
metadata:
  labels:
    {{- include "logcast.labels" .top | nindent 4 }}
    app.kubernetes.io/component: {{ .role }}
  annotations:
    checksum/settings: {{ toJson .top.Values.settings | sha256sum }}
    prometheus.io/scrape: "true"
    prometheus.io/port: {{ include "logcast.port" .role | quote }}
spec:
  {{- with .top.Values.imagePullSecrets }}
  imagePullSecrets: {{ toJson . }}
  {{- end }}
  automountServiceAccountToken: false
  enableServiceLinks: false # else a release called "logcast" would bring LOGCAST_… variables that are no settings
  terminationGracePeriodSeconds: 45 # more than LOGCAST_DRAIN_S and 10 s: see docs/operating.md
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    seccompProfile: { type: RuntimeDefault }
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "logcast.selector" . | nindent 10 }}
  containers:
    - name: {{ .role }}
      image: {{ include "logcast.image" .top }}
      imagePullPolicy: {{ .top.Values.image.pullPolicy }}
      args: [serve, {{ .role }}]
      envFrom:
        - configMapRef: { name: {{ .top.Release.Name }}-settings }
      env:
        - name: LOGCAST_KAFKA_USER
          value: {{ .role }}
        - name: LOGCAST_KAFKA_PASSWORD_FILE
          value: /run/secrets/logcast/kafka-{{ .role }}.password
        {{- if eq .role "worker" }}
        - name: LOGCAST_WORKER_SLOT
          valueFrom: { fieldRef: { fieldPath: metadata.name } }
        {{- end }}
        {{- if eq .role "ingest" }}
        - name: LOGCAST_PUSH_PORT
          value: "1936"
        {{- end }}
        {{- if eq .role "gateway" }}
        - name: LOGCAST_INGEST_URL
          value: {{ include "logcast.ingestUrl" .top }}
        {{- end }}
        {{- include "logcast.secretSettings" .top | nindent 8 }}
      ports:
        {{- range .ports }}
        - { name: {{ .name }}, containerPort: {{ .port }} }
        {{- end }}
      livenessProbe:
        httpGet: { path: /healthz, port: health }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: { path: /readyz, port: health }
        periodSeconds: 5
        timeoutSeconds: 5
      startupProbe:
        httpGet: { path: /healthz, port: health }
        periodSeconds: 2
        failureThreshold: 60
      {{- if eq .role "gateway" }}
      lifecycle:
        preStop: # until every node knows that it is out of the service
          exec: { command: [sleep, "5"] }
      {{- end }}
      resources: {{ toJson $values.resources }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
      volumeMounts:
        - { name: secrets, mountPath: /run/secrets/logcast, readOnly: true }
        - { name: data, mountPath: /var/lib/logcast }
        - { name: tmp, mountPath: /tmp }
  volumes:
    - name: secrets
      secret:
        secretName: {{ .top.Values.secretName }}
        defaultMode: 0440
        items:
          {{- include "logcast.secretItems" (dict "top" .top "users" (list .role)) | nindent 10 }}
    {{- if not .spool }}
    - name: data
      emptyDir: {}
    {{- end }}
    - name: tmp
      emptyDir: {}
  {{- with .top.Values.nodeSelector }}
  nodeSelector: {{ toJson . }}
  {{- end }}
  {{- with .top.Values.tolerations }}
  tolerations: {{ toJson . }}
  {{- end }}
{{- end }}
