package trellis

import (
	"errors"
	"fmt"
)

// ErrNotExist says that a noun is not in the store. It never reaches a client: the operation turns it
// into an Error that names what the client asked for.
var ErrNotExist = errors.New("does not exist")

// Error is the one error type that a client may see. Everything else is internal: logged with its cause,
// and answered without it. Package api writes it in the form of the protocol that the client speaks.
type Error struct {
	Code         string       // AWS's code, for example ResourceNotFoundException or InvalidVpcID.NotFound
	Status       int          // HTTP status
	Message      string       // for the client
	Reason       string       // of a ValidationException: unknownOperation, cannotParse, fieldValidationFailed, other
	Fields       []FieldError // every bad field of a ValidationException
	ResourceID   string
	ResourceType string // for example SERVICE, SERVICE_NETWORK
	ServiceCode  string // of a ServiceQuotaExceededException
	QuotaCode    string // of a ServiceQuotaExceededException, for example L-D64E952E
	Denial       *Denial
}

// Denial is what policies refused, and why. It is not the client's to read: EC2 answers it sealed, and
// sts:DecodeAuthorizationMessage opens it for who may.
type Denial struct {
	Principal Principal
	Action    string
	Resource  string // ARN
	Explicit  bool   // a statement denied; else none allowed
	Layer     string // of policies that refused
	Policy    string // that the statement is of; empty without one
	Sid       string // of the statement; its position when it has none
}

// FieldError is one bad field of a request.
type FieldError struct {
	Name    string
	Message string
}

// Error is the code and the message, as AWS's clients print them.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// NewError returns an Error with a code of AWS's and its HTTP status.
func NewError(status int, code, format string, args ...any) *Error {
	return &Error{Status: status, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid is VPC Lattice's ValidationException for bad fields (400).
func Invalid(fields ...FieldError) *Error {
	e := &Error{Status: 400, Code: "ValidationException", Reason: "fieldValidationFailed", Fields: fields}
	e.Message = "1 validation error detected: "
	if len(fields) != 1 {
		e.Message = fmt.Sprintf("%d validation errors detected: ", len(fields))
	}
	for i, f := range fields {
		if i > 0 {
			e.Message += "; "
		}
		e.Message += f.Message
	}
	return e
}

// InvalidOther is VPC Lattice's ValidationException for what no single field explains (400).
func InvalidOther(format string, args ...any) *Error {
	return &Error{Status: 400, Code: "ValidationException", Reason: "other", Message: fmt.Sprintf(format, args...)}
}

// NotFound is VPC Lattice's ResourceNotFoundException (404). resourceType is for example SERVICE.
func NotFound(resourceType, id string) *Error {
	return &Error{Status: 404, Code: "ResourceNotFoundException", ResourceType: resourceType, ResourceID: id,
		Message: fmt.Sprintf("%s %s not found", resourceType, id)}
}

// Conflict is VPC Lattice's ConflictException (409).
func Conflict(resourceType, id, format string, args ...any) *Error {
	return &Error{Status: 409, Code: "ConflictException", ResourceType: resourceType, ResourceID: id,
		Message: fmt.Sprintf(format, args...)}
}

// Denied is AccessDeniedException (403).
func Denied(format string, args ...any) *Error {
	return NewError(403, "AccessDeniedException", format, args...)
}
