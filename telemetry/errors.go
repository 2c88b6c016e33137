package telemetry

import "github.com/trellis-project/trellis"

// invalid is InvalidParameterException (400).
func invalid(format string, args ...any) error {
	return trellis.NewError(400, "InvalidParameterException", format, args...)
}

// noGroup is the error for a log group that does not exist.
func noGroup() error {
	return trellis.NewError(400, "ResourceNotFoundException", "The specified log group does not exist.")
}

// noStream is the error for a log stream that does not exist.
func noStream() error {
	return trellis.NewError(400, "ResourceNotFoundException", "The specified log stream does not exist.")
}

// exists is the error for a log group or stream that exists already.
func exists(what string) error {
	return trellis.NewError(400, "ResourceAlreadyExistsException", "The specified %s already exists", what)
}

// tooMany is LimitExceededException (400).
func tooMany(format string, args ...any) error {
	return trellis.NewError(400, "LimitExceededException", format, args...)
}
