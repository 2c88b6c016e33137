// Package authpolicy is the IAM policy language: Parse compiles a policy once, Decide answers many requests.
//
// A request to a service passes several layers: the policies of the organizations of the service's account and of the
// caller's, the policy of the service network, the policy of the service, and the caller's own policies with what bounds
// them. Invoke is the AND of them, with AWS's rule that an explicit deny anywhere wins (VPC Lattice user guide,
// auth-policies). Access is the same for a resource with a policy by IAM's general rules, such as a role; the control
// plane asks the caller's policies alone, by Caller.Authorize.
//
// Policies are refused when they are put, not when they decide: Parse knows every element, operator and form
// of principal, and says what is wrong and where. Whatever it accepts decides in time linear in the policy and
// the request, and without allocating, except where a value must be decoded or printed to be compared
// (percent-encoded query parameters, string operators on numbers, addresses and times).
package authpolicy
