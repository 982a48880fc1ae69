-- Included by other scripts: the fields of a stream's entry, for an envelope that is sealed or not.
--
-- A sealed envelope is 0xc1, key (8 bytes), signature (64), length of the place (2), place, envelope; security/sealed.py.

local function entry_fields(text)
  if string.byte(text, 1) ~= 0xc1 then
    return 'e', text
  end
  local long = string.byte(text, 74) * 256 + string.byte(text, 75)
  local body = string.sub(text, 76 + long)
  if long == 0 then
    return 'e', body, 'k', string.sub(text, 2, 9), 's', string.sub(text, 10, 73)
  end
  return 'e', body, 'k', string.sub(text, 2, 9), 's', string.sub(text, 10, 73), 'p', string.sub(text, 76, 75 + long)
end
