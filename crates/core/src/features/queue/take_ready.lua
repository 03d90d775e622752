-- Takes as many ready jobs as the limits allow; returns how many were examined, at most 200.
local function fill(take, ceiling)
  local looked, probed = 0, false
  while #take.jobs / 2 < ceiling and looked < 200 do
    local found = pick(take, ceiling - #take.jobs / 2)
    looked = looked + found
    if found == 0 then
      if probed or not probe(take) then
        break
      end
      probed = true
    end
  end
  return looked
end
