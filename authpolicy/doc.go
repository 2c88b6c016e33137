// Package authpolicy is the IAM policy language: Parse compiles a policy once, Decide answers many requests.
//
// A request to a service passes up to three layers: the policy of the service network, the policy of the
// service, and the caller's own identity policies. Invoke is the AND of them, with AWS's rule that an explicit
// deny anywhere wins (VPC Lattice user guide, auth-policies). The control plane asks the identity layer alone,
// by Caller.Authorize.
//
// Policies are refused when they are put, not when they decide: Parse knows every element, operator and form
// of principal, and says what is wrong and where. Whatever it accepts decides in time linear in the policy and
// the request, and without allocating, except where a value must be decoded or printed to be compared
// (percent-encoded query parameters, string operators on numbers, addresses and times).
package authpolicy
