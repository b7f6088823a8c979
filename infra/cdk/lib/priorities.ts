/** How soon a notification is sent, the last before all others; named as everywhere else. */
export const PRIORITIES = ['low', 'normal', 'high', 'urgent'] as const;

export type Priority = (typeof PRIORITIES)[number];

export function byPriority<T>(make: (priority: Priority) => T): Record<Priority, T> {
  return { low: make('low'), normal: make('normal'), high: make('high'), urgent: make('urgent') };
}
