// Decides the requests of a file, a JSON array, by @cloud-copilot/iam-simulate, and prints one answer a line.
// node simulate.mjs FOLDER FILE, where FOLDER is what .ci/install keeps the package in.
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const [, , folder, file] = process.argv
const load = path => import(pathToFileURL(`${folder}/node_modules/@cloud-copilot/${path}`).href)
const { authorize } = await load('iam-simulate/dist/esm/core_engine/CoreSimulatorEngine.js')
const { AwsRequestImpl } = await load('iam-simulate/dist/esm/request/request.js')
const { RequestContextImpl } = await load('iam-simulate/dist/esm/requestContext.js')
const { DiscoveryContextKeyConstraints } = await load('iam-simulate/dist/esm/context_keys/discoveryContextKeyConstraints.js')
const { loadPolicy } = await load('iam-policy/dist/esm/index.js')

const named = policies => policies.map((p, i) => loadPolicy(p, { name: `${i}` }))
for (const c of JSON.parse(readFileSync(file, 'utf8'))) {
  const request = new AwsRequestImpl(c.Principal, { resource: c.Resource, accountId: c.Owner }, c.Action, new RequestContextImpl(c.Context))
  const answer = authorize({
    request,
    identityPolicies: named(c.Identity ?? []),
    resourcePolicy: c.Policy ? named([c.Policy])[0] : undefined,
    serviceControlPolicies: (c.Levels ?? []).map((l, i) => ({ orgIdentifier: `${i}`, policies: named(l) })),
    resourceControlPolicies: [],
    permissionBoundaries: c.Boundary ? named([c.Boundary]) : undefined,
    sessionPolicy: c.Session ? named([c.Session])[0] : undefined,
    vpcEndpointPolicies: undefined,
    simulationParameters: { simulationMode: 'Strict', discoveryContextKeyConstraints: new DiscoveryContextKeyConstraints([]) },
  })
  console.log(answer.result)
}
