-- New tasks of the same template, by the Deployment's own strategy: an annotation of the template, as
-- `sluice restart` and `kubectl rollout restart` write it.

local os = require("os")
local template = obj.spec.template
if template == nil then
  error("there is no spec.template that could carry the annotation; change spec.taskDefinition instead")
end
template.metadata = template.metadata or {}
template.metadata.annotations = template.metadata.annotations or {}
template.metadata.annotations["sluice.dev/restartedAt"] = os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
