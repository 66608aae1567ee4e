// Uses a server as ali-oss does, and prints what came of it as JSON. Arguments: URL, bucket, region.
// Credentials come from the environment.
const { createHash } = require("node:crypto");
const OSS = require("ali-oss");

const [endpoint, bucket, region] = process.argv.slice(2);
const keys = { accessKeyId: process.env.OSS_ACCESS_KEY_ID, accessKeySecret: process.env.OSS_ACCESS_KEY_SECRET };
const md5 = (data) => createHash("md5").update(data).digest("hex");

async function walk(authorizationV4) {
  const seen = {};
  const store = new OSS({ endpoint, bucket, region, authorizationV4, sldEnable: true, ...keys });
  await store.putBucket(bucket);

  const put = await store.put("text", Buffer.from("hello"), { meta: { colour: "blue" } });
  const head = await store.head("text");
  seen.put = put.res.headers["x-oss-server-side-encryption"];
  seen.head = { colour: head.meta.colour, size: head.res.headers["content-length"], etag: head.res.headers.etag };
  seen.text = (await store.get("text")).content.toString();

  const large = Buffer.alloc(3 * 1024 * 1024 + 7, "multipart ");
  await store.multipartUpload("large", large, { partSize: 1024 * 1024, parallel: 2 });
  seen.large = md5((await store.get("large")).content) === md5(large);
  const range = await store.get("large", { headers: { Range: "bytes=1048575-1048577" } });
  seen.range = range.content.equals(large.subarray(1048575, 1048578));

  const kms = await store.put("kms", Buffer.from("secret"), { headers: { "x-oss-server-side-encryption": "KMS" } });
  seen.kms = [kms.res.headers["x-oss-server-side-encryption"], Boolean(kms.res.headers["x-oss-server-side-encryption-key-id"])];

  const url = authorizationV4
    ? await store.signatureUrlV4("GET", 60, {}, "text")
    : store.signatureUrl("text", { expires: 60, method: "GET" });
  seen.signed = await (await fetch(url)).text();

  await store.copy("copy", "text");
  seen.copy = (await store.get("copy")).content.toString();
  await store.append("grows", Buffer.from("one "));
  await store.append("grows", Buffer.from("two"), { position: 4 });
  seen.grows = (await store.get("grows")).content.toString();

  const expiration = new Date(Date.now() + 60_000).toISOString();
  const form = store.calculatePostSignature({ expiration, conditions: [["content-length-range", 0, 1000]] });
  const fields = new FormData();
  for (const [name, value] of Object.entries({ key: "form", ...form, Signature: form.Signature })) fields.append(name, value);
  fields.append("file", new Blob(["from a form"]), "name.txt");
  const posted = await fetch(`${endpoint}/${bucket}`, { method: "POST", body: fields });
  seen.form = [posted.status, posted.ok ? (await store.get("form")).content.toString() : await posted.text()];

  const listed = await store.listV2({ "max-keys": 100 });
  seen.listed = listed.objects.map((entry) => [entry.name, entry.size]);
  const failed = await store.get("none").catch((error) => error);
  seen.error = [failed.code, failed.status];
  const deleted = await store.deleteMulti(listed.objects.map((entry) => entry.name));
  seen.deleted = deleted.deleted.length;
  return seen;
}

async function main() {
  console.log(JSON.stringify({ v1: await walk(false), v4: await walk(true) }));
}

main().catch((error) => { console.error(error); process.exit(1); });
