// A button beside a password shows what was typed, and hides it again.
import { around, find, findAll } from './dom.js';

function toggle(button) {
  const field = find(`#${button.dataset.reveal}`);
  const shows = field.type === 'password';
  field.type = shows ? 'text' : 'password';
  button.setAttribute('aria-pressed', String(shows));
  button.textContent = shows ? 'Hide' : 'Show';
  return field;
}

document.addEventListener('click', (event) => {
  const button = around(event, '[data-reveal]');
  if (button) toggle(button).focus();
});

// Browsers offer to keep what a form sends as a password, and never to fill it in again in plain sight.
document.addEventListener('submit', (event) => {
  findAll('[data-reveal][aria-pressed="true"]', event.target).forEach(toggle);
});
