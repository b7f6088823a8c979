// The box with suggestions: a combobox with a list, as WAI-ARIA describes it.

import { suggest } from './api.js';
import { make, marked } from './dom.js';
import { KINDS } from './words.js';

const WAIT_MS = 80;

/** Makes `input` propose what may be meant; `choose` gets what was picked. */
export function combobox(input, list, choose) {
  let items = [];
  let active = -1;
  let timer;
  let asking;

  function close() {
    clearTimeout(timer);
    asking?.abort();
    list.hidden = true;
    active = -1;
    input.setAttribute('aria-expanded', 'false');
    input.removeAttribute('aria-activedescendant');
  }

  function show(found) {
    items = found;
    list.replaceChildren(
      ...items.map((item, index) =>
        make(
          'div',
          {
            id: `suggestion-${index}`,
            role: 'option',
            'aria-selected': 'false',
            // Before the box loses the focus, which closes the list.
            onpointerdown: (event) => {
              event.preventDefault();
              pick(index);
            },
          },
          make('span', {}, ...marked(item.parts)),
          make('small', {}, KINDS[item.kind] ?? ''),
        ),
      ),
    );
    list.hidden = items.length === 0;
    active = -1;
    input.setAttribute('aria-expanded', String(items.length > 0));
  }

  function pick(index) {
    const item = items[index];
    close();
    choose(item);
  }

  function move(by) {
    if (list.hidden) return;
    list.children[active]?.setAttribute('aria-selected', 'false');
    active = (active + by + items.length + (active < 0 && by < 0 ? 1 : 0)) % items.length;
    const option = list.children[active];
    option.setAttribute('aria-selected', 'true');
    option.scrollIntoView({ block: 'nearest' });
    input.setAttribute('aria-activedescendant', option.id);
  }

  async function ask() {
    asking?.abort();
    asking = new AbortController();
    const { signal } = asking;
    try {
      const { items: found } = await suggest(input.value, signal);
      if (!signal.aborted) show(found);
    } catch {
      // Somebody who gets no suggestion can still search.
      if (!signal.aborted) close();
    }
  }

  input.addEventListener('input', (event) => {
    // Pinyin that is being composed into hanzi is text of its own: it is asked for as well.
    clearTimeout(timer);
    if (input.value.trim() === '') close();
    else timer = setTimeout(ask, event.isComposing ? 2 * WAIT_MS : WAIT_MS);
  });
  input.addEventListener('keydown', (event) => {
    if (event.isComposing) return;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      move(event.key === 'ArrowDown' ? 1 : -1);
    } else if (event.key === 'Enter' && active >= 0) {
      event.preventDefault();
      pick(active);
    } else if (event.key === 'Escape') {
      close();
    }
  });
  input.addEventListener('blur', close);
  return { close };
}
