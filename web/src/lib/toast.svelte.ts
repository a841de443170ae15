// What was just done, and how to undo it.

export const toast = $state<{ text: string; undo: (() => Promise<void>) | undefined }>({ text: '', undo: undefined });

let timer: ReturnType<typeof setTimeout> | undefined;

/** What can be undone stays; the rest goes by itself. */
export function tell(text: string, undo?: () => Promise<void>): void {
  clearTimeout(timer);
  toast.text = text;
  toast.undo = undo;
  if (!undo) timer = setTimeout(() => (toast.text = ''), 8000);
}
