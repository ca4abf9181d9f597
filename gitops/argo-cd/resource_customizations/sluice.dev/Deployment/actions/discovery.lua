-- Which verbs make sense now, by what the operator has published: the same judgement as the command `sluice`
-- makes (a test compares the two), but for whether an old revision is still kept, which status does not tell.
-- Argo CD opens no string library: prefixes are compared by order (" " is 0x20, "!" is 0x21).

local status = obj.status or {}
local spec = obj.spec or {}
local rollout = status.rollout
local live = (status.live or {}).revision
local moving = rollout ~= nil and rollout.id ~= nil

local rollout_id = moving and rollout.id or nil
if rollout_id == nil and status.history ~= nil and status.history[1] ~= nil then
  rollout_id = status.history[1].id
end

local progressive = (spec.strategy or {}).type == "Progressive"
if moving then
  progressive = rollout.stage ~= nil
end

local ready = false
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Ready" and condition.status == "True" then
    ready = condition.observedGeneration == nil or condition.observedGeneration == obj.metadata.generation
  end
end

local standby = status.standby
if standby ~= nil and (standby["until"] == nil or os.time() >= standby["until"]) then
  standby = nil
end

local back = moving and (rollout.stage == "RollingBack" or rollout.stage == "CleaningUp")
local forward = moving and not back

-- Something waits that promote passes over: a verdict that cannot be given, a hook that failed.
local released = moving and rollout.held == "AnalysisInconclusive"
-- A way back waits for a person, since its source is dead: promote-full keeps the candidate. Going back all the
-- same is a word for the command line.
local held = false
if moving then
  for _, gate in ipairs(rollout.gates or {}) do
    local hook = gate.name ~= nil and gate.name > "hook " and gate.name < "hook!"
    released = released or (hook and gate.state == "Failed")
    held = held or (rollout.stage == "RollingBack" and gate.name == "person")
  end
end

local pausing = false
if moving and rollout.stage == "Stepping" and (rollout.kind or "Rollout") == "Rollout" then
  local step = (rollout.steps or {})[(rollout.stepIndex or 0) + 1]
  pausing = step ~= nil and step > "pause " and step < "pause!"
end

local before_full = {
  Starting = true,
  PreScaleUp = true,
  ScalingUp = true,
  PostScaleUp = true,
  PreTraffic = true,
  Stepping = true,
  Baking = true,
}

local previous
for _, entry in ipairs(status.history or {}) do
  if previous == nil and entry.outcome == "Succeeded" and entry.revision ~= live then
    previous = entry.revision
  end
end

-- An undo or abort from rest began the undo that is in motion: said again, it would take that back.
local function under_way()
  local first = (status.history or {})[1]
  if not forward or rollout.kind ~= "Undo" or rollout.by ~= "undo" or first == nil then
    return false
  end
  for _, verb in ipairs({"abort", "undo"}) do
    local said = (status.intents or {})[verb]
    local again = said ~= nil and said > first.id .. "#" and said < first.id .. "$"
    local at_step = said ~= nil and said > first.id .. "/" and said < first.id .. "0"
    if said == first.id or again or at_step then
      return true
    end
  end
  return false
end

local function can_abort()
  if not progressive then
    return moving and (rollout.source or "") ~= "" and rollout.source ~= rollout.candidate
  end
  if not moving then
    return standby ~= nil
  end
  return not back and not (rollout.kind == "First" and status.live ~= nil)
end

local function can_undo()
  if moving and progressive then
    return can_abort()
  end
  if progressive and live == nil then
    return false
  end
  local target = previous
  if progressive and standby ~= nil then
    target = standby.revision
  end
  if target == nil then
    return false
  end
  if target == live and (progressive or (not moving and ready)) then
    return false
  end
  if progressive and target == (status.rejectedRevision or {}).revision then
    return false
  end
  local asked
  if moving then
    asked = rollout.candidate
  end
  if asked == nil and not ready then
    asked = (status.rejectedRevision or {}).revision
  end
  return progressive or target ~= asked
end

local function can_retry()
  local rejected = status.rejectedRevision
  if rejected == nil or (progressive and moving) then
    return false
  end
  return not (ready and live ~= rejected.revision)
end

local can = {
  ["promote"] = progressive and forward and (released or pausing),
  ["promote-full"] = progressive and (held or (forward and (released or before_full[rollout.stage] == true))),
  ["abort"] = can_abort() and not under_way(),
  ["pause"] = forward and not rollout.paused,
  ["resume"] = forward and (rollout.held == "DriftHalted" or rollout.paused == true),
  ["retry"] = can_retry(),
  ["undo"] = can_undo() and not under_way(),
}

local heard = rollout_id ~= nil and obj.metadata.deletionTimestamp == nil and not spec.suspend
local actions = {}
for verb, sensible in pairs(can) do
  actions[verb] = {["disabled"] = not (heard and sensible)}
end
local idle = spec.template == nil or spec.paused or spec.suspend or obj.metadata.deletionTimestamp ~= nil
actions["restart"] = {["disabled"] = not not idle}
return actions
