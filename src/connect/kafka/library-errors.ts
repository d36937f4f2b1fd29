/** Errors of the library (@platformatic/kafka) as ours. */

import { GenericError, MultipleErrors } from '@platformatic/kafka';
import { KafkaError } from './kafka-error.ts';

/** The answer, also where parts of it are errors: their codes are in it. */
export async function tolerant<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    const { response } = error as { response?: T };
    if (response !== undefined) return response;
    throw kafkaError(error, null);
  }
}

export async function asKafkaError<T>(answer: Promise<T>, where: string | null = null): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw kafkaError(error, where);
  }
}

/** The deepest cause of an error of the library. */
function kafkaError(error: unknown, where: string | null): KafkaError {
  let isAuthentication = false;
  let at: unknown = error;
  let deepest: Error = error instanceof Error ? error : new Error(String(error));
  for (let depth = 0; at instanceof Error && depth < 16; depth += 1) {
    if (at instanceof KafkaError) return at;
    deepest = at;
    isAuthentication ||= (at as { code?: string }).code === 'PLT_KFK_AUTHENTICATION';
    const next: unknown = MultipleErrors.isMultipleErrors(at) ? at.errors[0] : at.cause;
    at = next;
  }
  const { apiCode, apiId, code } = deepest as { apiCode?: number; apiId?: string; code?: string };
  const server = GenericError.isGenericError(deepest)
    ? (deepest.serverErrorMessage as string | null | undefined)
    : null;
  const text = server ?? deepest.message;
  return new KafkaError(
    where === null || text.includes(where) ? text : `${where}: ${text}`,
    apiCode ?? null,
    apiId ?? code ?? deepest.name,
    isAuthentication,
  );
}
