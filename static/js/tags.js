// A field of tags offers those that are used: its list completes the tag behind the last comma and keeps what
// stands before it. Without scripts the field takes the same text.
import { around, find, make } from './dom.js';

let known;

// Once a page: what the person may see, from the server.
async function load() {
  const answer = await fetch('/tags.json', { headers: { Accept: 'application/json' } });
  return answer.ok ? answer.json() : [];
}

async function offer(field) {
  known ??= load().catch(() => []);
  const typed = field.value.split(',');
  typed.pop();
  const before = typed.map((tag) => tag.trim()).filter(Boolean);
  const taken = new Set(before.map((tag) => tag.toLowerCase()));
  const offered = (await known).filter((tag) => !taken.has(tag));
  const options = offered.map((tag) => make('option', { value: [...before, tag].join(', ') }));
  find(`#${field.getAttribute('list')}`).replaceChildren(...options);
}

for (const type of ['focusin', 'input']) {
  document.addEventListener(type, (event) => {
    const field = around(event, 'input[data-tags]');
    if (field) offer(field);
  });
}
