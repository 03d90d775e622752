-- Takes as many ready jobs as the limits allow. Returns how many were examined, at most 200.
local function take_ready(take, ceiling)
  local examined, probed = 0, false
  while #take.jobs / 2 < ceiling and examined < 200 do
    local found = pick(take, ceiling - #take.jobs / 2)
    examined = examined + found
    if found == 0 then
      if probed or not probe_parked(take) then
        break
      end
      probed = true
    end
  end
  return examined
end
