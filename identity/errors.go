package identity

import (
	"errors"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/authpolicy"
)

// noSuchEntity is IAM's error for what does not exist.
func noSuchEntity(format string, args ...any) *trellis.Error {
	return trellis.NewError(404, "NoSuchEntity", format, args...)
}

// alreadyExists is IAM's error for a name that is taken.
func alreadyExists(format string, args ...any) *trellis.Error {
	return trellis.NewError(409, "EntityAlreadyExists", format, args...)
}

// limitExceeded is IAM's error for a quota.
func limitExceeded(format string, args ...any) *trellis.Error {
	return trellis.NewError(409, "LimitExceeded", format, args...)
}

// deleteConflict is IAM's error for what still has or is in something.
func deleteConflict(format string, args ...any) *trellis.Error {
	return trellis.NewError(409, "DeleteConflict", format, args...)
}

// malformedPolicy is IAM's and STS's error for a policy that does not compile: AWS's sentence where it has one for the
// fault, with the place behind it.
func malformedPolicy(err error) *trellis.Error {
	return trellis.NewError(400, "MalformedPolicyDocument", "%s", malformed(err))
}

// malformed is what is wrong with a policy, in AWS's words where they are known.
func malformed(err error) string {
	fault, ok := errors.AsType[*authpolicy.ParseError](err)
	if !ok {
		return err.Error()
	}
	element := fault.Where[strings.LastIndexByte(fault.Where, '.')+1:]
	missing, foreign := fault.Message == "is missing", strings.HasPrefix(fault.Message, "does not belong")
	sentence := ""
	switch {
	case fault.Where == "policy" || element == "Statement":
		sentence = "Syntax errors in policy."
	case element == "Version":
		sentence = "The policy must contain a valid version string"
	case element == "Resource" && missing:
		sentence = "Policy statement must contain resources."
	case element == "Action" && missing:
		sentence = "Policy statement must contain actions."
	case element == "Action" || element == "NotAction":
		sentence = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
	case element == "Resource" && foreign:
		sentence = "Has prohibited field Resource"
	case element == "Principal" && foreign:
		sentence = "Policy document should not specify a principal."
	case missing:
		sentence = "Missing required field " + element
	case strings.Contains(fault.Where, ".Principal") || strings.Contains(fault.Where, ".NotPrincipal"):
		sentence = "Invalid principal in policy"
	default:
		return err.Error()
	}
	return sentence + " (" + err.Error() + ")"
}

// invalidInput is IAM's error for a field that the model allows and the service does not.
func invalidInput(format string, args ...any) *trellis.Error {
	return trellis.NewError(400, "InvalidInput", format, args...)
}

// stsInvalid is STS's error for a bad field.
func stsInvalid(format string, args ...any) *trellis.Error {
	return trellis.NewError(400, "ValidationError", format, args...)
}

// orgError is an error of Organizations, which answers every one with 400.
func orgError(code, format string, args ...any) *trellis.Error {
	return trellis.NewError(400, code, format, args...)
}

// noUser is for a user that a caller named.
func noUser(name string) *trellis.Error {
	return noSuchEntity("The user with name %s cannot be found.", name)
}

// noRole is for a role that a caller named.
func noRole(name string) *trellis.Error {
	return noSuchEntity("The role with name %s cannot be found.", name)
}

// noPolicy is for a managed policy that a caller named.
func noPolicy(arn string) *trellis.Error { return noSuchEntity("Policy %s was not found.", arn) }

// stsParameter is STS's error for a parameter that contradicts another.
func stsParameter(format string, args ...any) *trellis.Error {
	return trellis.NewError(400, "InvalidParameterValue", format, args...)
}

// errTagTwice is for session tags whose keys differ in nothing but their case.
func errTagTwice() *trellis.Error {
	return stsParameter("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
}
