// Uses a server as the AWS SDK for JavaScript v3 does by default, and prints what came of it as JSON.
// Arguments: URL, bucket. Credentials and region come from the environment.
const { createHash } = require("node:crypto");
const { Readable } = require("node:stream");
const s3 = require("@aws-sdk/client-s3");
const { Upload } = require("@aws-sdk/lib-storage");

const [endpoint, Bucket] = process.argv.slice(2);
const client = new s3.S3Client({ endpoint, forcePathStyle: true, maxAttempts: 1 });
const MIB = 1024 * 1024;
const md5 = (data) => createHash("md5").update(data).digest("hex");

function* pieces(size) {
  for (let sent = 0; sent < size; sent += 65536) yield Buffer.alloc(Math.min(65536, size - sent), sent / 65536);
}

async function bytes(Key, more = {}) {
  const answer = await client.send(new s3.GetObjectCommand({ Bucket, Key, ...more }));
  return Buffer.from(await answer.Body.transformToByteArray());
}

async function main() {
  const seen = {};
  await client.send(new s3.CreateBucketCommand({ Bucket }));

  const put = await client.send(new s3.PutObjectCommand({ Bucket, Key: "text", Body: "hello", Metadata: { colour: "blue" } }));
  const head = await client.send(new s3.HeadObjectCommand({ Bucket, Key: "text", ChecksumMode: "ENABLED" }));
  seen.put = { etag: put.ETag, sse: put.ServerSideEncryption, crc32: put.ChecksumCRC32 };
  seen.head = { etag: head.ETag, size: head.ContentLength, colour: head.Metadata.colour, crc32: head.ChecksumCRC32 };
  seen.text = (await bytes("text")).toString();

  const whole = Buffer.concat([...pieces(3 * MIB + 1)]);
  await client.send(new s3.PutObjectCommand({ Bucket, Key: "stream", Body: Readable.from(pieces(whole.length)), ContentLength: whole.length }));
  seen.stream = md5(await bytes("stream")) === md5(whole);

  const large = Buffer.concat([...pieces(12 * MIB + 7)]);
  const upload = new Upload({ client, params: { Bucket, Key: "large", Body: Readable.from(pieces(large.length)) } });
  const completed = await upload.done();
  seen.large = md5(await bytes("large")) === md5(large);
  seen.parts = completed.ETag.replaceAll('"', "").split("-")[1];
  seen.range = (await bytes("large", { Range: "bytes=5242879-5242881" })).equals(large.subarray(5242879, 5242882));
  seen.suffix = (await bytes("large", { Range: "bytes=-3" })).equals(large.subarray(-3));

  const kms = await client.send(new s3.PutObjectCommand({ Bucket, Key: "kms", Body: "secret", ServerSideEncryption: "aws:kms" }));
  seen.kms = { sse: kms.ServerSideEncryption, key: Boolean(kms.SSEKMSKeyId), text: (await bytes("kms")).toString() };

  await client.send(new s3.CopyObjectCommand({ Bucket, Key: "copy", CopySource: `${Bucket}/text` }));
  seen.copy = (await bytes("copy")).toString();
  const listed = await client.send(new s3.ListObjectsV2Command({ Bucket }));
  seen.listed = listed.Contents.map((entry) => [entry.Key, entry.Size]);
  const failed = await client.send(new s3.GetObjectCommand({ Bucket, Key: "none" })).catch((error) => error);
  seen.error = { name: failed.name, status: failed.$metadata.httpStatusCode };
  const names = listed.Contents.map(({ Key }) => ({ Key }));
  const deleted = await client.send(new s3.DeleteObjectsCommand({ Bucket, Delete: { Objects: names } }));
  seen.deleted = deleted.Deleted.length;
  console.log(JSON.stringify(seen));
}

main().catch((error) => { console.error(error); process.exit(1); });
