// Editors in the place of a value (form[data-inline]): Enter, or leaving the editor, saves what changed;
// Escape restores. Keys come by way of keyboard.js.
import { around, find } from './dom.js';
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
  if (isLeft) finish(form, true);
}
