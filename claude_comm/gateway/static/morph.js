/**
 * Makes one tree of elements like another with as few changes as there are differences.
 *
 * Law: an element that stays is the same node afterwards: it keeps its focus, its selection and its scrolling. Children
 * are matched by their id where they have one, else by their place and name. What a person changed stays theirs: the
 * `open` of details, and the values of fields.
 */

/** Makes `to` like `from`, which may be taken apart for it. */
export function morph(to, from) {
  const active = document.activeElement;
  level(to, from);
  // What is put into another place loses the focus by that, though it is the same node.
  if (active !== document.activeElement && active?.isConnected) active.focus({ preventScroll: true });
}

function level(to, from) {
  if (to.isEqualNode(from)) return;
  attributes(to, from);
  children(to, from);
}

function attributes(to, from) {
  for (const { name } of [...to.attributes]) {
    if (!from.hasAttribute(name) && !kept(to, name)) to.removeAttribute(name);
  }
  for (const { name, value } of from.attributes) {
    if (!kept(to, name) && to.getAttribute(name) !== value) to.setAttribute(name, value);
  }
}

/** What a person set. */
function kept(element, name) {
  return name === "open" && element.localName === "details";
}

function children(to, from) {
  const named = new Map();
  for (const child of to.children) if (child.id) named.set(child.id, child);
  let at = to.firstChild;
  for (const fresh of [...from.childNodes]) {
    const match = alike(at, fresh, named);
    if (match === null) {
      to.insertBefore(fresh, at);
      continue;
    }
    if (match !== at) to.insertBefore(match, at);
    else at = at.nextSibling;
    if (fresh.nodeType === Node.ELEMENT_NODE) level(match, fresh);
    else if (match.data !== fresh.data) match.data = fresh.data;
  }
  while (at !== null) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

/** The node that becomes like the fresh one; null where it has to be put in anew. */
function alike(at, fresh, named) {
  if (fresh.id) return named.get(fresh.id) ?? null;
  const same = at !== null && at.nodeType === fresh.nodeType && at.nodeName === fresh.nodeName && !at.id;
  return same ? at : null;
}
