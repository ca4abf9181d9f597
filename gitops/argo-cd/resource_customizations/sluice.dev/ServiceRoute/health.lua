-- Health of a resource of sluice.dev for Argo CD. Only conditions of the present generation count: a Ready that is
-- about an older spec says nothing about what was just synced. Argo CD opens no string library: there is none here.

local hs = {status = "Progressing", message = "waiting for the operator's first look"}

local function text(condition)
  return condition.reason .. ": " .. condition.message
end

if obj.status == nil or obj.status.conditions == nil then
  return hs
end

local generation = obj.metadata.generation
local ready, stalled, reconciling
for _, condition in ipairs(obj.status.conditions) do
  if condition.observedGeneration == generation then
    if condition.type == "Ready" then
      ready = condition
    elseif condition.type == "Stalled" and condition.status == "True" then
      stalled = condition
    elseif condition.type == "Reconciling" and condition.status == "True" then
      reconciling = condition
    end
  end
end

if obj.metadata.deletionTimestamp ~= nil then
  hs.message = "being deleted"
  if stalled ~= nil then
    hs.status = "Degraded"
    hs.message = text(stalled)
  elseif reconciling ~= nil then
    hs.message = text(reconciling)
  end
  return hs
end

if obj.status.observedGeneration ~= generation or ready == nil then
  hs.message = "the operator has not looked at generation " .. tostring(generation) .. " yet"
  return hs
end

hs.message = text(ready)
if stalled ~= nil then
  hs.status = "Degraded"
  hs.message = text(stalled)
elseif ready.reason == "Paused" then
  -- A person holds it: Argo CD's own word for a paused Deployment. Ready or not, nothing goes on by itself.
  hs.status = "Suspended"
elseif ready.status == "True" then
  hs.status = "Healthy"
end
return hs
