// How a form stands, said beside its Save button on every screen size: Unsaved · Saving · Saved · Not saved
// (why, and Try again) · Offline · Signed out. What the server wrote there (Saved 14:05) stays until
// something else is to be said.
import { find, make } from './dom.js';

const TONES = {
  unsaved: '',
  saving: '',
  failed: 'bad',
  offline: 'bad',
  'signed-out': 'bad',
};

// `state` is one of the names above; `words` say it. `act` is a link or a button that leads on.
export function showState(form, state, words, act = null) {
  const place = placeOf(form);
  if (!place) return;
  const isBad = TONES[state] === 'bad';
  // What went wrong is read out at once, everything else when there is time.
  place.setAttribute('role', isBad ? 'alert' : 'status');
  place.dataset.state = state;
  delete place.dataset[STANDS];
  place.replaceChildren(make('span', { textContent: words }));
  if (act) place.append(act);
}

export function stateOf(form) {
  return placeOf(form)?.dataset.state ?? '';
}

// Takes away what was said by the script.
export function clearState(form) {
  const place = placeOf(form);
  if (!place?.dataset.state) return;
  delete place.dataset.state;
  place.replaceChildren();
}

// Says more behind a failure, whose reason stays.
export function showBehind(form, words) {
  const place = placeOf(form);
  if (!place) return;
  const behind = find('[data-behind]', place) ?? make('span', {});
  behind.dataset.behind = '';
  behind.textContent = ` · ${words}`;
  place.firstElementChild.after(behind);
}

// A reason that stands with the server stays until the next save; every other one until something is typed.
const STANDS = 'reasonStands';

export function mayBeMended(form) {
  const place = placeOf(form);
  return place?.dataset.state === 'failed' && place.dataset[STANDS] === undefined;
}

// `stands` when nothing that is typed could mend it.
export function showFailure(form, why, stands = false) {
  const again = make('button', { type: 'button', className: 'button small', textContent: 'Try again' });
  again.dataset.tryAgain = '';
  again.addEventListener('click', () => {
    const button = saveButton(form);
    if (button) button.click();
    else form.requestSubmit();
  });
  showState(form, 'failed', `Not saved ${clock()} · ${why}`, again);
  if (stands) placeOf(form).dataset[STANDS] = '';
}

export function showSignedOut(form, gate) {
  const link = make('a', { href: gate, target: '_blank', className: 'button small', textContent: 'Sign in' });
  showState(form, 'signed-out', 'Signed out · what you typed is still here', link);
}

// In the zone in which the server says "Saved 14:05" at the same place.
export function clock() {
  const timeZone = document.documentElement.dataset.zone;
  return new Date().toLocaleTimeString('sv-SE', { hour: '2-digit', minute: '2-digit', timeZone });
}

// The page's bar names the form that it belongs to; other forms get a place beside their button.
function placeOf(form) {
  if (!form.isConnected) return null;
  const own = form.id && find(`[data-state-of="${form.id}"]`);
  return own || find('[data-state-of=""]', form) || addPlace(form);
}

function addPlace(form) {
  const button = saveButton(form);
  if (!button) return null;
  const place = make('span', { className: 'save-state' });
  place.dataset.stateOf = '';
  place.setAttribute('role', 'status');
  (button.closest('.foot')?.lastElementChild ?? button).after(place);
  return place;
}

// The form's own Save: marked as such, or its primary button, or its first.
function saveButton(form) {
  const buttons = [...form.elements].filter((control) => control.type === 'submit');
  return (
    buttons.find((button) => button.dataset.key === 'save') ??
    buttons.find((button) => button.matches('.primary')) ??
    buttons[0]
  );
}
