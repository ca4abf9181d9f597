-- Says `undo` to the operator: the annotation sluice.dev/undo with the id of the rollout that is
-- shown. A rollout that is over by then is not touched. `#2` makes a word new that was handled
-- before; what still waits to be handled stays. Written by tools/argo_cd_files.py: change it there.

local status = obj.status or {}
local base
if status.rollout ~= nil and status.rollout.id ~= nil then
  base = status.rollout.id
elseif status.history ~= nil and status.history[1] ~= nil then
  base = status.history[1].id
end
if base == nil then
  error("no rollout has begun yet; the operator has not acted on this Deployment")
end

local name = "sluice.dev/undo"
local handled = (status.intents or {})["undo"]
obj.metadata.annotations = obj.metadata.annotations or {}
local said = obj.metadata.annotations[name]

local value = base
local waiting = said == base and said ~= handled
if handled == base then
  value = base .. "#2"
end
for number = 2, 999 do
  local numbered = base .. "#" .. number
  if handled == numbered then
    value = base .. "#" .. (number + 1)
  end
  waiting = waiting or (said == numbered and said ~= handled)
end
if not waiting then
  obj.metadata.annotations[name] = value
  -- Argo CD tells its scripts of no user; its own event ResourceActionRan does.
  obj.metadata.annotations["sluice.dev/by"] = "undo=" .. value .. " Argo CD"
end
return obj
