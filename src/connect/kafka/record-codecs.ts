/** Checksums and compressions of record batches. */

import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { compressionsAlgorithms, crc32c, Reader } from '@platformatic/kafka';
import type { RecordCodecs } from './record-batch.ts';
import type { BatchCodec, CompressionName } from './record-batch-writer.ts';

/** CRC32C. The library would copy plain bytes first; those of a reader it takes as they are. */
function checksum(bytes: Buffer): number {
  return crc32c(Reader.from(bytes).buffer);
}

export const RECORD_CODECS: RecordCodecs = {
  crc32c: checksum,
  decompress: (codec, bytes, sizeMax) => {
    const maxOutputLength = sizeMax;
    if (codec === 1) return unlessTooLarge(() => gunzipSync(bytes, { maxOutputLength }));
    if (codec === 4) return unlessTooLarge(() => zstdDecompressSync(bytes, { maxOutputLength }));
    if (codec !== 2 && codec !== 3) throw new Error(`compression ${codec} is not known`);
    const { decompressSync } =
      codec === 2 ? compressionsAlgorithms.snappy : compressionsAlgorithms.lz4;
    const result = decompressSync(bytes);
    return result.length > sizeMax ? null : result;
  },
};

function unlessTooLarge(decompress: () => Buffer): Buffer | null {
  try {
    return decompress();
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE') return null;
    throw error;
  }
}

/** How a sink's batches are compressed, by Kafka's name. */
export const BATCH_CODECS = Object.freeze({
  none: { crc32c: checksum, codec: 0, compress: (bytes: Buffer) => bytes },
  gzip: { crc32c: checksum, codec: 1, compress: (bytes: Buffer) => gzipSync(bytes) },
  snappy: { crc32c: checksum, codec: 2, compress: compressionsAlgorithms.snappy.compressSync },
  lz4: { crc32c: checksum, codec: 3, compress: compressionsAlgorithms.lz4.compressSync },
  zstd: { crc32c: checksum, codec: 4, compress: (bytes: Buffer) => zstdCompressSync(bytes) },
} satisfies Record<CompressionName, BatchCodec>);
