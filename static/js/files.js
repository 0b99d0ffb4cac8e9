// Files of a form: chosen, dropped on a zone (form[data-drop]), or pasted. They are sent at once, one
// choice after another. What did not arrive says so beside its zone, and goes again when the network or the
// session is back, or at a press of Try again.
import { around, find, findAll } from './dom.js';
import { isRowDragged } from './order.js';
import { clearState, showFailure, showSignedOut, showState } from './state.js';

// What was chosen and has not arrived. The zone is drawn anew by each answer and ready for the next choice,
// so the files are kept here and not in its input: { side, files, ctx (htmx's own record of the request),
// fault (null while it is on its way) }.
const parcels = new Set();

export function hasFilesUnderWay() {
  return parcels.size > 0;
}

// A zone with data-wait has more to say before its file is sent, and sends it as any form does.
function attach(zone, files) {
  const input = find('input[type=file]', zone);
  input.files = files;
  if ('wait' in zone.dataset) input.focus();
  else zone.requestSubmit();
}

document.addEventListener('change', (event) => {
  const chosen = event.target;
  if (chosen.matches('[data-drop]:not([data-wait]) input[type=file]')) chosen.form.requestSubmit();
});

// Nothing is chosen: then it is Try again.
document.addEventListener(
  'submit',
  (event) => {
    const zone = event.target;
    if (!zone.matches('[data-drop]:not([data-wait])')) return;
    if (find('input[type=file]', zone).files.length > 0) return;
    event.preventDefault();
    event.stopPropagation();
    // A form does not submit itself while it submits itself.
    queueMicrotask(() => sendAgain(zone.dataset.drop));
  },
  true,
);

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

function parcelOf({ detail: { ctx } }) {
  return [...parcels].find((parcel) => parcel.ctx === ctx);
}

document.addEventListener('htmx:config:request', (event) => {
  const zone = zoneOf(event);
  if (!zone) return;
  const input = find('input[type=file]', zone);
  parcels.add({ side: zone.dataset.drop, files: [...input.files], ctx: event.detail.ctx, fault: null });
  input.value = '';
  sayAll();
});

document.addEventListener('htmx:before:request', (event) => {
  // What was said of the files before is not about these.
  if (zoneOf(event)) for (const said of findAll('#attachments .saved')) said.remove();
});

// A refusal is drawn with the answer; the files are then of no more use.
document.addEventListener('htmx:after:request', (event) => {
  const parcel = parcelOf(event);
  const { response, hx } = event.detail.ctx ?? {};
  if (!parcel || !response) return;
  if (response.status === 401) parcel.fault = { gate: hx?.redirect ?? '/sign-in' };
  else if (response.status >= 500) parcel.fault = { why: 'the server is busy' };
  else parcels.delete(parcel);
});

document.addEventListener('htmx:error', (event) => {
  const parcel = parcelOf(event);
  if (parcel) parcel.fault = { why: navigator.onLine ? 'the server cannot be reached' : 'offline' };
});

// Every drawing takes the words away.
for (const type of ['htmx:after:swap', 'htmx:finally:request']) {
  document.addEventListener(type, () => {
    if (parcels.size > 0) sayAll();
  });
}

function sayAll() {
  for (const zone of findAll('[data-drop]')) say(zone, parcelsFor(zone.dataset.drop));
}

function say(zone, mine) {
  const failed = mine.filter(({ fault }) => fault);
  const gate = failed.find(({ fault }) => fault.gate)?.fault.gate;
  if (gate) showSignedOut(zone, gate);
  else if (failed.length > 0) showFailure(zone, `${failed[0].fault.why}: ${namesIn(failed)}`);
  else if (mine.length > 0) showState(zone, 'saving', `Sending ${namesIn(mine)}…`);
  else clearState(zone);
}

function parcelsFor(side) {
  return [...parcels].filter((parcel) => parcel.side === side);
}

function namesIn(some) {
  const names = some.flatMap(({ files }) => files.map(({ name }) => name));
  return names.length > 2 ? `${names.length} files` : names.join(' and ');
}

function sendAgain(side) {
  const zone = find(`[data-drop="${side}"]`);
  if (!zone) return;
  for (const parcel of parcelsFor(side).filter(({ fault }) => fault)) {
    parcels.delete(parcel);
    const chosen = new DataTransfer();
    for (const file of parcel.files) chosen.items.add(file);
    attach(zone, chosen.files);
  }
}

function sendAllAgain() {
  for (const zone of findAll('[data-drop]')) sendAgain(zone.dataset.drop);
}

addEventListener('online', sendAllAgain);
document.addEventListener('tyrian:signed-in', sendAllAgain);
