package identity

import (
	"github.com/trellis-project/trellis"
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

// malformedPolicy is IAM's and STS's error for a policy that does not compile.
func malformedPolicy(err error) *trellis.Error {
	return trellis.NewError(400, "MalformedPolicyDocument", "%s", err)
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
