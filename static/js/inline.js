// Editors in the place of a value (form[data-inline]): Enter, or leaving the editor, saves what changed;
// Escape restores. Keys come by way of keyboard.js.
import { around, find, findAll } from './dom.js';
import { fields, isChanged } from './values.js';

// Submits the editor, or takes it away where there is nothing to save. Once only: its removal moves the
// focus, which would finish it again.
export function finish(form, save) {
  if (form.dataset.finished !== undefined) return;
  const changed = save && fields(form).some(isChanged);
  if (changed && !form.reportValidity()) return;
  form.dataset.finished = '';
  if (changed) form.requestSubmit();
  else find('[data-cancel]', form)?.click();
}

document.addEventListener('focusout', (event) => {
  const form = around(event, 'form[data-inline]');
  // Where the focus goes is known only afterwards.
  if (form) setTimeout(finishIfLeft, 0, form);
});

// Another window is not leaving: whoever comes back finds the editor as it was.
function finishIfLeft(form) {
  const isLeft = form.isConnected && document.hasFocus() && !form.contains(document.activeElement);
  // A dialog takes the focus by itself.
  if (isLeft && !find('dialog[open]')) finish(form, true);
}

function changedEditors() {
  return findAll('form[data-inline]').filter((form) => fields(form).some(isChanged));
}

export function hasChangedEditors() {
  return changedEditors().length > 0;
}

// An editor that is still there was not saved, and can be finished again.
document.addEventListener('htmx:finally:request', ({ detail: { ctx } }) => {
  const form = ctx.sourceElement?.closest?.('form[data-inline]');
  if (form?.isConnected) delete form.dataset.finished;
});

document.addEventListener('tyrian:signed-in', () => {
  for (const form of changedEditors()) finish(form, true);
});
