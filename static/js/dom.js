// Short ways to elements.

export function find(selector, root = document) {
  return root.querySelector(selector);
}

export function findAll(selector, root = document) {
  return [...root.querySelectorAll(selector)];
}

// The element that an event met, or the nearest around it, that fits the selector. An event may also meet the
// document, which has no ancestors to ask.
export function around(event, selector) {
  return event.target.closest?.(selector);
}

export function make(tag, properties) {
  return Object.assign(document.createElement(tag), properties);
}

// Tells whoever listens to the page by a screen reader.
export function announce(text) {
  const live = find('#live');
  if (live) live.textContent = text;
}
