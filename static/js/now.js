// "Now" beside a time writes the moment into it, in the zone that the form states. Without scripts the button
// saves the form, and the server writes the time.
import { around } from './dom.js';

// At the capture and with a full stop, so that htmx does not send the form.
document.addEventListener('click', fillIn, true);

function fillIn(event) {
  const button = around(event, '[data-now]');
  const input = button?.form?.elements.namedItem(button.dataset.now);
  if (!input) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  input.value = localTime(button.form.elements.zone.value);
  for (const type of ['input', 'change']) input.dispatchEvent(new Event(type, { bubbles: true }));
}

// As a datetime-local control wants it. Swedish writes dates as ISO 8601 does, but for the T.
function localTime(timeZone) {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' });
  return format.format(new Date()).replace(' ', 'T');
}
