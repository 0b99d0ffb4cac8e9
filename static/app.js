'use strict';
// Everything here is an addition: pages work as plain HTML first. Listeners sit on the document and find their
// elements by data attributes, so they survive every swap.
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const on = (type, handler, options) => document.addEventListener(type, handler, options);
  const near = (e, selector) => e.target.closest?.(selector);
  const make = (tag, values) => Object.assign(document.createElement(tag), values);
  const guarded = () => $('form[data-guard]');
  const say = (text) => { const live = $('#live'); if (live) live.textContent = text; };
  const tab = $('[name=tab]')?.value || (crypto.randomUUID?.() ?? String(Math.random()).slice(2)); // a restored draft's, or a new one
  const ownTab = () => { for (const el of $$('#procedure [name=tab]')) el.value = tab; };
  let leaving = false, flight = null, draftTimer = 0, dragged = null;
  document.documentElement.dataset.scripts = '';
  // ---- values: what a control holds now, what the server rendered, and what it has saved (data-initial when the two differ)
  const plain = (text) => (text ?? '').replace(/\r\n?/g, '\n').replace(/^(\d{4}-\d\d-\d\dT\d\d:\d\d):00(\.0+)?$/, '$1');
  const ticks = (el) => el.type === 'checkbox' || el.type === 'radio';
  const key = (el) => ticks(el) ? el.name + '=' + el.value : el.name;
  const fields = (form) => [...form.elements].filter((el) => el.name && !el.matches(
    '[type=hidden], [type=submit], [type=button], [type=file], button, fieldset, output, [data-unguarded], [data-unguarded] *'));
  const current = (el) => ticks(el) ? String(el.checked) : plain(el.value);
  const rendered = (el) => ticks(el) ? String(el.defaultChecked)
    : el.options ? ([...el.options].find((o) => o.defaultSelected) ?? el.options[0])?.value ?? '' : plain(el.defaultValue);
  const saved = (el) => el.dataset.initial === undefined ? rendered(el) : plain(el.dataset.initial);
  const dirty = (el) => current(el) !== saved(el);
  const show = (el, value) => { if (ticks(el)) el.checked = value === 'true'; else el.value = value; };
  const settle = (el, value) => { // shows a value as the saved one
    delete el.dataset.initial; for (const o of el.options ?? []) o.defaultSelected = o.value === value;
    if (ticks(el)) el.defaultChecked = value === 'true'; else if (!el.options) el.defaultValue = value;
    show(el, value);
  };
  // ---- unsaved changes
  const measure = (form = guarded()) => {
    if (!form) return false;
    const changed = fields(form).some(dirty);
    form.toggleAttribute('data-dirty', changed);
    for (const el of $$('[data-dirty-text]')) el.textContent = changed ? el.dataset.text || 'Unsaved changes' : '';
    return changed;
  };
  for (const type of ['input', 'change']) on(type, (e) => { const { form } = e.target; if (form?.matches('[data-guard]') && measure(form)) keepDraft(form); });
  on('submit', (e) => { if (e.target.matches('[data-guard], [data-loose]') && !e.defaultPrevented) { leaving = true; clearTimeout(draftTimer); } });
  const typed = (form) => [...form.elements].some((el) => el.name && el.matches('input:not([type=hidden], [type=file]), textarea') && dirty(el));
  const loose = () => $$('form[data-loose]').some(typed) || $$('#inputs input').some(dirty); // small forms beside the guarded one
  addEventListener('beforeunload', (e) => { if (!leaving && (measure() || loose())) e.preventDefault(); });
  addEventListener('pageshow', () => { leaving = false; measure(); });
  on('tyrian:leave', (e) => { if ((measure() || loose()) && !guarded()?.dataset.draftUrl) e.preventDefault(); else leaving = true; });
  // ---- drafts, kept by the server
  const keepDraft = (form) => { clearTimeout(draftTimer); if (form.dataset.draftUrl) draftTimer = setTimeout(sendDraft, 1500, form); };
  const sendDraft = async (form) => {
    if (!form.isConnected || flight || leaving || !measure(form)) return;
    const body = new URLSearchParams([...new FormData(form)].filter(([, value]) => typeof value === 'string'));
    let text = 'draft not kept';
    try {
      const answer = await fetch(form.dataset.draftUrl, { method: 'POST', body, headers: { 'HX-Request': 'true' } });
      if (answer.ok && !answer.redirected) text = (await answer.text()).trim();
    } catch { /* offline: the text says so, and the next key tries again */ }
    if (!flight && form.matches('[data-dirty]')) for (const el of $$('[data-draft-text]')) el.textContent = text;
  };
  // ---- saving by htmx: what is typed after the request left stays, as unsaved
  const typedSince = () => new Map(fields(flight.form).filter((el) => flight.sent.get(key(el)) !== current(el)).map((el) => [key(el), current(el)]));
  on('htmx:before:request', (e) => {
    const { sourceElement, target, request } = e.detail.ctx, form = guarded();
    if (!form?.contains(sourceElement) || request.method === 'GET' || !target.contains?.(form)) return;
    clearTimeout(draftTimer);
    flight = { form, ctx: e.detail.ctx, sent: new Map(fields(form).map((el) => [key(el), current(el)])), late: new Map() };
  });
  on('htmx:after:request', (e) => {
    const { hx, response } = e.detail.ctx;
    if (flight?.ctx === e.detail.ctx && response.status < 400 && (hx.redirect || hx.location || hx.refresh)) leaving = !typedSince().size && !loose();
  });
  on('htmx:before:swap', (e) => { if (flight?.ctx === e.detail.ctx) flight.late = typedSince(); });
  on('htmx:after:swap', (e) => {
    const form = guarded();
    if (form && flight?.ctx === e.detail.ctx) {
      const { late } = flight; flight = null;
      const { target } = e.detail.ctx, drawn = typeof target === 'string' ? $(target) : target;
      // A refusal is drawn beside the form, which then goes on holding what was typed. In a form that was drawn anew, a
      // control that was touched would ignore its new default.
      if (!drawn || drawn.contains(form)) for (const el of fields(form)) show(el, late.get(key(el)) ?? rendered(el));
      ownTab();
      if (measure(form)) keepDraft(form);
    }
    mergeFresh(), measure();
  });
  on('htmx:finally:request', (e) => {
    const form = flight?.ctx === e.detail.ctx ? flight.form : null;
    if (form) { flight = null; mergeFresh(); if (measure(form)) keepDraft(form); }
  });
  on('htmx:error', (e) => { // no answer at all
    if (flight && flight.ctx === e.detail.ctx) $('#problem')?.replaceChildren(make('p', { className: 'notice bad', role: 'alert', textContent: 'Not saved: the server cannot be reached. What you typed is still here; save again in a moment.' }));
  });
  on('htmx:after:settle', (e) => {
    const { newContent, ctx } = e.detail, swapped = ctx?.target?.id && document.getElementById(ctx.target.id);
    for (const node of [...(newContent ?? []), swapped].filter(Boolean)) { // a morph tells only of new nodes
      const el = node.matches?.('[data-focus]') ? node : node.querySelector?.('[data-focus]');
      if (el && (el.dataset.focus !== 'if-lost' || document.activeElement === document.body)) return el.focus();
    }
    const left = document.activeElement === document.body && sessionStorage.getItem('row ' + location.href); // where Back leads to
    if (left) document.getElementById(left)?.focus();
  });
  // ---- what others saved: fills untouched fields, marks the others and remembers the version they started from
  const mergeFresh = () => {
    const form = guarded(), fresh = $('#fresh template[data-version]'), version = form?.elements.namedItem('version');
    if (!fresh || !version || flight || Number(fresh.dataset.version) <= Number(version.value)) return;
    for (const { dataset: { field, value, by, at } } of $$('[data-field]', fresh.content)) {
      for (const el of fields(form).filter((el) => el.name === field)) {
        const theirs = ticks(el) ? String(el.value === value) : plain(value);
        const base = form.elements.namedItem('base.' + field), note = $(`[data-note="${field}"]`, form);
        if (theirs === saved(el)) continue;
        if (theirs === current(el) || (!dirty(el) && el !== document.activeElement)) {
          settle(el, theirs); for (const stale of [base, note]) stale?.remove();
          continue;
        }
        if (!base) form.append(make('input', { type: 'hidden', name: 'base.' + field, value: version.value }));
        const mark = note ?? make('span', { className: 'elsewhere' });
        if (!note) (el.closest('.joined') ?? el).after(mark);
        mark.dataset.note = field, say(mark.textContent = `${by} saved another value at ${at}`);
      }
    }
    version.value = fresh.dataset.version, measure(form);
  };
  on('tyrian:changed', mergeFresh);
  // ---- keyboard
  const press = (name, e) => { const el = $(`[data-key="${name}"]`); if (el) { e.preventDefault(); el.click(); } };
  on('keydown', (e) => {
    const ctrl = (e.ctrlKey || e.metaKey) && !e.altKey && !e.shiftKey, inline = near(e, 'form[data-inline]');
    const own = e.target.form?.matches('[data-loose]') ? e.target.form : null;
    if (ctrl && own && ['s', 'Enter'].includes(e.key)) { e.preventDefault(); own.requestSubmit(); }
    else if (ctrl && e.key === 's') press('save', e);
    else if (ctrl && e.key === 'Enter') press('save-next', e);
    else if (e.altKey && e.key === 'PageUp') press('previous', e);
    else if (e.altKey && e.key === 'PageDown') press('next', e);
    else if (e.key === 'Escape' && !inline && !near(e, 'dialog, [popover]')) press('close', e);
    else if (inline && (e.key === 'Escape' || e.key === 'Enter')) { e.preventDefault(); finish(inline, e.key === 'Enter'); }
    else if (e.key === '/' && !ctrl && !e.altKey && !near(e, 'input, select, textarea') && document.documentElement.dataset.shortcuts !== 'off' && $('[data-key="search"]')) {
      e.preventDefault(), $('[data-key="search"]').focus();
    } else if (['ArrowDown', 'ArrowUp'].includes(e.key) && !ctrl && near(e, '[data-row], [type=search]')) { // through the rows of a list
      const rows = $$('[data-row]'), row = rows[rows.indexOf(e.target) + (e.key === 'ArrowDown' ? 1 : -1)] ?? (e.key === 'ArrowUp' && $('[data-key="search"]'));
      if (row && row !== e.target) e.preventDefault(), row.focus();
    }
  });
  on('click', (e) => { const row = near(e, '[data-row][id]'); if (row) sessionStorage.setItem('row ' + location.href, row.id); }, true);
  // ---- inline editors: Enter or leaving saves what changed, Escape restores
  const finish = (form, save) => {
    const changed = save && fields(form).some(dirty);
    if (form.dataset.finished !== undefined || (changed && !form.reportValidity())) return;
    form.dataset.finished = '';
    if (changed) form.requestSubmit(); else $('[data-cancel]', form)?.click();
  };
  on('focusout', (e) => {
    const form = near(e, 'form[data-inline]');
    if (form) setTimeout(() => { if (form.isConnected && document.hasFocus() && !form.contains(document.activeElement)) finish(form, true); });
  });
  // ---- copy, now, tick all
  on('click', async (e) => {
    const copy = near(e, '[data-copy]'), now = near(e, '[data-now]'), input = now?.form?.elements.namedItem(now.dataset.now);
    if (input) {
      e.preventDefault(), e.stopImmediatePropagation();
      const zoned = new Intl.DateTimeFormat('sv-SE', { timeZone: now.form.elements.zone.value, dateStyle: 'short', timeStyle: 'medium' });
      input.value = zoned.format(new Date()).replace(' ', 'T');
      for (const type of ['input', 'change']) input.dispatchEvent(new Event(type, { bubbles: true }));
    } else if (copy) {
      e.preventDefault();
      const source = $(copy.dataset.copy), byHand = () => { getSelection().selectAllChildren(source); return document.execCommand('copy'); };
      const done = navigator.clipboard // there is none without TLS
        ? await navigator.clipboard.writeText(source.textContent).then(() => true, byHand) : byHand();
      say(copy.dataset.copied = done ? 'Copied' : 'Selected');
      setTimeout(() => delete copy.dataset.copied, 1500);
    }
  }, true);
  // ---- drag order
  on('pointerdown', (e) => { const row = near(e, '[data-sortable] .grip')?.closest('[data-id]'); if (row) row.draggable = true; });
  on('dragstart', (e) => { if (e.target.matches?.('[data-sortable] > [data-id]')) (dragged = e.target).classList.add('dragging'); });
  on('dragend', () => {
    const row = dragged, list = row?.parentElement;
    if (!list) return;
    dragged = null, row.draggable = false, row.classList.remove('dragging');
    list.dispatchEvent(new Event('change', { bubbles: true }));
    if (list.dataset.autosubmit !== undefined) list.closest('form')?.requestSubmit();
  });
  // ---- files, chosen, dropped or pasted
  const zoneOf = (e) => !dragged && e.dataTransfer?.types.includes('Files') ? near(e, '[data-drop]') : null;
  const attach = (zone, files) => { const input = $('input[type=file]', zone); input.files = files; input.form.requestSubmit(); };
  on('dragover', (e) => {
    const zone = zoneOf(e), over = near(e, '[data-id]'), box = over?.getBoundingClientRect();
    if (zone || (dragged && over?.parentElement === dragged.parentElement)) e.preventDefault();
    if (zone) zone.classList.add('over');
    else if (dragged && over !== dragged && over?.parentElement === dragged.parentElement) over[e.clientY > box.top + box.height / 2 ? 'after' : 'before'](dragged);
  });
  on('dragleave', (e) => { const zone = near(e, '[data-drop]'); if (!zone?.contains(e.relatedTarget)) zone?.classList.remove('over'); });
  on('drop', (e) => { const zone = zoneOf(e); if (zone) { e.preventDefault(); zone.classList.remove('over'); attach(zone, e.dataTransfer.files); } });
  on('paste', (e) => { // evidence never lands on the wrong side: with several zones the one of the notes' own team takes it
    const zones = $$('[data-drop]'), team = near(e, '[data-team]')?.dataset.team, { files, types } = e.clipboardData;
    const zone = zones.length === 1 ? zones[0] : zones.find((z) => team && z.dataset.drop === team);
    if (zone && files.length && !types.includes('text/plain')) { e.preventDefault(); attach(zone, files); }
  });
  on('change', (e) => {
    if (e.target.matches('[data-drop] input[type=file]')) e.target.form.requestSubmit();
    if (e.target.matches('[data-tick-all]')) for (const box of $$('td.tick input', near(e, 'table'))) box.checked = e.target.checked;
  });
  ownTab(), measure();
})();
