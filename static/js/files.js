// Files of a form: chosen, dropped on a zone (form[data-drop]), or pasted. They are sent at once. What
// did not arrive stays chosen, says so beside the zone, and goes again when the network or the session is
// back.
import { formsWithFiles } from './changes.js';
import { around, find, findAll } from './dom.js';
import { isRowDragged } from './order.js';
import { showFailure, showSignedOut, showState } from './state.js';

// A zone with data-wait has more to say before its file is sent.
function attach(zone, files) {
  const input = find('input[type=file]', zone);
  input.files = files;
  if ('wait' in zone.dataset) input.focus();
  else input.form.requestSubmit();
}

document.addEventListener('change', (event) => {
  const chosen = event.target;
  if (chosen.matches('[data-drop]:not([data-wait]) input[type=file]')) chosen.form.requestSubmit();
});

// The zone under files that are dragged. A row on its way is none of them, whatever the browser says that it
// carries.
function zoneUnder(event) {
  const carriesFiles = !isRowDragged() && event.dataTransfer?.types.includes('Files');
  return carriesFiles ? around(event, '[data-drop]') : null;
}

// A browser drops only where this was prevented; elsewhere it would open the file.
document.addEventListener('dragover', (event) => {
  const zone = zoneUnder(event);
  if (!zone) return;
  event.preventDefault();
  zone.classList.add('over');
});

// Also sent between the parts of one zone.
document.addEventListener('dragleave', (event) => {
  const zone = around(event, '[data-drop]');
  if (zone && !zone.contains(event.relatedTarget)) zone.classList.remove('over');
});

document.addEventListener('drop', (event) => {
  const zone = zoneUnder(event);
  if (!zone) return;
  event.preventDefault();
  zone.classList.remove('over');
  attach(zone, event.dataTransfer.files);
});

// A copied piece of a document comes as text and as a picture: there the text is meant.
document.addEventListener('paste', (event) => {
  const { files, types } = event.clipboardData;
  if (files.length === 0 || types.includes('text/plain')) return;
  const zone = zoneForPaste(event);
  if (!zone) return;
  event.preventDefault();
  attach(zone, files);
});

// Evidence never lands on the wrong side: of several zones the one of the notes' own team takes it, or none.
function zoneForPaste(event) {
  const zones = findAll('[data-drop]');
  if (zones.length === 1) return zones[0];
  const team = around(event, '[data-team]')?.dataset.team;
  return team ? zones.find((zone) => zone.dataset.drop === team) : undefined;
}

function zoneOf({ detail: { ctx } }) {
  return ctx?.sourceElement?.closest?.('form[data-drop]');
}

function namesIn(zone) {
  const names = [...find('input[type=file]', zone).files].map(({ name }) => name);
  return names.length > 2 ? `${names.length} files` : names.join(' and ');
}

document.addEventListener('htmx:before:request', (event) => {
  const zone = zoneOf(event);
  if (!zone) return;
  // What was said of the files before is not about these.
  for (const said of findAll('#attachments .saved')) said.remove();
  showState(zone, 'saving', `Sending ${namesIn(zone)}…`);
});

document.addEventListener('htmx:after:request', (event) => {
  const zone = zoneOf(event);
  const { response, hx } = event.detail.ctx ?? {};
  if (!zone || !response || response.status < 400) return;
  if (response.status === 401) showSignedOut(zone, hx?.redirect ?? '/sign-in');
  else if (response.status >= 500) showFailure(zone, `the server is busy: ${namesIn(zone)}`);
});

document.addEventListener('htmx:error', (event) => {
  const zone = zoneOf(event);
  if (!zone) return;
  const why = navigator.onLine ? 'the server cannot be reached' : 'offline';
  showFailure(zone, `${why}: ${namesIn(zone)}`);
});

function sendAgain() {
  for (const form of formsWithFiles()) form.requestSubmit();
}

addEventListener('online', sendAgain);
document.addEventListener('tyrian:signed-in', sendAgain);
