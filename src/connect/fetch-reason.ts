/** Why `fetch` failed: it says only that it did, the cause is inside. */
export function fetchReason(error: unknown): string {
  let reason = error;
  while (reason instanceof Error && reason.cause instanceof Error) reason = reason.cause;
  if (!(reason instanceof Error)) return String(reason);
  if (reason.message !== '') return reason.message;
  return (reason as { code?: string }).code ?? reason.name;
}
