package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api/wire"
)

// Codes that every service has, as the JSON protocols name them. translate turns them into a service's own.
const (
	codeAccessDenied     = "AccessDeniedException"
	codeExpiredToken     = "ExpiredTokenException"
	codeIncomplete       = "IncompleteSignatureException"
	codeInternal         = "InternalServerException"
	codeInvalidSignature = "InvalidSignatureException"
	codeMissingToken     = "MissingAuthenticationTokenException"
	codeSerialization    = "SerializationException"
	codeThrottling       = "ThrottlingException"
	codeTooLarge         = "RequestEntityTooLargeException"
	codeUnknownOperation = "UnknownOperationException"
	codeUnrecognized     = "UnrecognizedClientException"
	codeValidation       = "ValidationException"
)

// form is how a protocol's services put a common error: code, status, and a text that replaces the message.
type form struct {
	code    string
	status  int
	message string
}

// queryForms are the common errors of IAM and STS (IAM API reference, common errors).
var queryForms = map[string]form{
	codeAccessDenied:       {"AccessDenied", 403, ""},
	codeExpiredToken:       {"ExpiredToken", 403, ""},
	codeIncomplete:         {"IncompleteSignature", 400, ""},
	codeInternal:           {"InternalFailure", 500, ""},
	codeInvalidSignature:   {"SignatureDoesNotMatch", 403, ""},
	codeMissingToken:       {"MissingAuthenticationToken", 403, "Request is missing Authentication Token"},
	codeSerialization:      {"MalformedInput", 400, ""},
	codeThrottling:         {"Throttling", 400, ""},
	codeTooLarge:           {"RequestEntityTooLarge", 413, ""},
	codeUnknownOperation:   {"InvalidAction", 400, ""},
	codeUnrecognized:       {"InvalidClientTokenId", 403, ""},
	codeValidation:         {"ValidationError", 400, ""},
	"InvalidClientTokenId": {"InvalidClientTokenId", 403, ""},
}

// ec2Forms are the common errors of EC2 (EC2 API reference, error codes).
var ec2Forms = map[string]form{
	codeAccessDenied:       {"UnauthorizedOperation", 403, ""},
	codeExpiredToken:       {"RequestExpired", 400, ""},
	codeIncomplete:         {"IncompleteSignature", 400, ""},
	codeInternal:           {"InternalError", 500, "An internal error has occurred"},
	codeInvalidSignature:   {"AuthFailure", 401, "AWS was not able to validate the provided access credentials"},
	codeMissingToken:       {"MissingAuthenticationToken", 403, "Request is missing Authentication Token"},
	codeSerialization:      {"MalformedQueryString", 400, ""},
	codeThrottling:         {"RequestLimitExceeded", 503, "Request limit exceeded."},
	codeTooLarge:           {"RequestEntityTooLarge", 413, ""},
	codeUnknownOperation:   {"InvalidAction", 400, ""},
	codeUnrecognized:       {"AuthFailure", 401, "AWS was not able to validate the provided access credentials"},
	codeValidation:         {"InvalidParameterValue", 400, ""},
	"InvalidClientTokenId": {"AuthFailure", 401, "AWS was not able to validate the provided access credentials"},
}

// route53Forms are the common errors of Route 53, where they differ from those of the query protocols (Route 53 API
// reference, common errors).
var route53Forms = map[string]form{
	codeSerialization: {"MalformedInput", 400, "Unexpected complex element termination"},
	codeValidation:    {"InvalidInput", 400, ""},
}

// s3Forms are the common errors of S3 (S3 API reference, error responses).
var s3Forms = map[string]form{
	codeAccessDenied:       {"AccessDenied", 403, ""},
	codeExpiredToken:       {"ExpiredToken", 400, "The provided token has expired."},
	codeIncomplete:         {"AuthorizationHeaderMalformed", 400, ""},
	codeInternal:           {"InternalError", 500, "We encountered an internal error. Please try again."},
	codeInvalidSignature:   {"SignatureDoesNotMatch", 403, ""},
	codeMissingToken:       {"AccessDenied", 403, "Access Denied"},
	codeSerialization:      {"MalformedXML", 400, "The XML you provided was not well-formed or did not validate against our published schema"},
	codeThrottling:         {"SlowDown", 503, "Please reduce your request rate."},
	codeTooLarge:           {"EntityTooLarge", 400, ""},
	codeUnknownOperation:   {"MethodNotAllowed", 405, "The specified method is not allowed against this resource."},
	codeUnrecognized:       {"InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records."},
	codeValidation:         {"InvalidArgument", 400, ""},
	"InvalidAction":        {"NotImplemented", 501, ""},
	"InvalidClientTokenId": {"InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records."},
}

// forms are the common errors of the service in its words, nil when it has those of the JSON protocols.
func (v *served) forms() []map[string]form {
	switch {
	case v.Model.Protocol == wire.EC2:
		return []map[string]form{ec2Forms}
	case v.Model.Protocol == wire.Query:
		return []map[string]form{queryForms}
	case v.objects():
		return []map[string]form{s3Forms}
	case v.Model.Protocol == wire.RESTXML:
		return []map[string]form{route53Forms, queryForms}
	}
	return nil
}

// translate gives an error the code, status and text that the service's protocol has for it. The error itself
// is left as it is.
// op is the operation, nil while it is not known.
func (v *served) translate(e *trellis.Error, op *wire.Operation) *trellis.Error {
	t := *e
	m := v.Model
	switch m.Protocol {
	case wire.Query, wire.EC2, wire.RESTXML:
		code := e.Code
		if m.Protocol == wire.EC2 && code == codeInvalidSignature && strings.HasPrefix(e.Message, "Signature expired") {
			code = codeExpiredToken // EC2 has one code for all that came too late, which clients set their clocks by
		}
		var f form
		common := false
		for _, forms := range v.forms() {
			if f, common = forms[code]; common {
				break
			}
		}
		if common && (op == nil || m.ErrorStatus(e.Code) == 0) { // before the operation is known, it is about the signature
			t.Code, t.Status = f.code, f.status
			if f.message != "" {
				t.Message = f.message
			}
			if t.Code == "UnauthorizedOperation" && !strings.HasPrefix(t.Message, "You are not authorized") {
				t.Message = "You are not authorized to perform this operation. " + t.Message
			}
		}
	default:
		switch e.Code {
		case codeInternal:
			t.Code = v.modelled(op, codeInternal, "ServerInternalException", "ServiceException")
			if m.ErrorStatus(t.Code) == 0 {
				t.Code = "InternalFailure"
			}
		case codeValidation:
			t.Code = v.modelled(op, codeValidation, "InvalidInputException", "InvalidParameterException", "InvalidParameterValueException")
		case "InvalidClientTokenId":
			t.Code = codeUnrecognized
		}
	}
	if s := m.ErrorStatus(t.Code); s != 0 {
		t.Status = s
	}
	if m.Protocol == wire.Query {
		t.Code = m.QueryCode(t.Code)
	}
	if t.Status == 0 {
		t.Status = http.StatusBadRequest
	}
	// Services of awsJson answer 400 to all that the client has done wrong.
	if m.Protocol == wire.JSON && t.Status < 500 && t.Status != http.StatusRequestEntityTooLarge {
		t.Status = http.StatusBadRequest
	}
	return &t
}

// modelled returns the first code that the operation has by its model, or else the service, or the first of all.
func (v *served) modelled(op *wire.Operation, codes ...string) string {
	if op != nil {
		for _, c := range codes {
			if slices.Contains(op.Errors, c) {
				return c
			}
		}
	}
	for _, c := range codes {
		if v.Model.ErrorStatus(c) != 0 {
			return c
		}
	}
	return codes[0]
}

// badInput makes one error of all bad fields, nil when there are none.
func (v *served) badInput(m *wire.Message, problems []wire.Problem) error {
	if v.Model.Protocol == wire.EC2 {
		return v.badParameters(m, problems)
	}
	if len(problems) == 0 {
		return nil
	}
	if v.objects() && slices.ContainsFunc(problems, func(p wire.Problem) bool { return p.Kind != wire.Constraint }) {
		return trellis.NewError(http.StatusBadRequest, codeSerialization, "%s", problems[0].Message)
	}
	malformed := slices.IndexFunc(problems, func(p wire.Problem) bool { return p.Kind == wire.Malformed })
	if malformed >= 0 && (v.Model.Protocol == wire.JSON || v.Model.Protocol == wire.CBOR) {
		return trellis.NewError(http.StatusBadRequest, codeSerialization, "%s", problems[malformed].Message)
	}
	if v.Model.Protocol == wire.Query || v.Model.Protocol == wire.RESTXML {
		lowerPaths(problems)
	}
	fields := make([]trellis.FieldError, len(problems))
	for i, p := range problems {
		fields[i] = trellis.FieldError{Name: p.Path, Message: p.Message}
	}
	e := trellis.Invalid(fields...)
	if malformed >= 0 {
		e.Reason = "cannotParse"
	}
	return e
}

// lowerPaths gives the paths of problems the form that the services of awsQuery and restXml have in errors: UserName is
// userName there.
func lowerPaths(problems []wire.Problem) {
	for i := range problems {
		p := &problems[i]
		parts := strings.Split(p.Path, ".")
		for j, part := range parts {
			if part != "" {
				parts[j] = strings.ToLower(part[:1]) + part[1:]
			}
		}
		path := strings.Join(parts, ".")
		p.Message = strings.Replace(p.Message, "at '"+p.Path+"'", "at '"+path+"'", 1)
		p.Path = path
	}
}

// badParameters is badInput for EC2, which tells one bad parameter at a time.
func (v *served) badParameters(m *wire.Message, problems []wire.Problem) error {
	if len(problems) == 0 {
		if unknown := v.codec.Unknown(m); len(unknown) > 0 {
			return trellis.NewError(http.StatusBadRequest, "UnknownParameter", "The parameter %s is not recognized", printable(unknown[0]))
		}
		return nil
	}
	p := problems[0]
	if p.Kind == wire.Missing {
		return trellis.NewError(http.StatusBadRequest, "MissingParameter", "The request must contain the parameter %s", p.Path)
	}
	if p.Value == "" {
		return trellis.NewError(http.StatusBadRequest, "InvalidParameterValue", "%s", p.Message)
	}
	_, must, _ := strings.Cut(p.Message, "constraint: ")
	return trellis.NewError(http.StatusBadRequest, "InvalidParameterValue", "Value (%s) for parameter %s is invalid. %s", p.Value, p.Path, must)
}

// unreadable makes a client's error of a message that the codec could not read.
func (v *served) unreadable(err error) error {
	var unknown *wire.UnknownOperationError
	if errors.As(err, &unknown) {
		e := trellis.NewError(http.StatusNotFound, codeUnknownOperation, "Could not find operation %s", printable(unknown.Name))
		if v.Model.Protocol == wire.Query || v.Model.Protocol == wire.EC2 {
			e.Message = fmt.Sprintf("Could not find operation %s for version %s", printable(unknown.Name), v.Model.Version)
		}
		return e
	}
	var media *wire.MediaTypeError
	if errors.As(err, &media) {
		code, status := codeSerialization, http.StatusBadRequest
		if v.Model.Protocol == wire.RESTJSON { // Smithy, malformed requests of restJson1
			code, status = "UnsupportedMediaTypeException", http.StatusUnsupportedMediaType
		}
		return trellis.NewError(status, code, "The request body is of the type %s, which is not the protocol's.", printable(media.Type))
	}
	if v.Model.Protocol == wire.RESTJSON && v.Model.ErrorStatus(codeValidation) != 0 {
		e := trellis.InvalidOther("The request body cannot be parsed.")
		e.Reason = "cannotParse"
		return e
	}
	return trellis.NewError(http.StatusBadRequest, codeSerialization, "The request body cannot be parsed.")
}

// bodyError makes a client's error of a body that could not be read whole.
func bodyError(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return trellis.NewError(http.StatusRequestEntityTooLarge, codeTooLarge, "The request body is larger than %d bytes.", large.Limit)
	}
	return trellis.NewError(http.StatusBadRequest, codeSerialization, "The request body could not be read to its end.")
}

// stranger is the service whose form an error takes that belongs to no service: restJson's.
func stranger() *served {
	m := &wire.Model{Protocol: wire.RESTJSON}
	codec, _ := wire.NewCodec(m) // no operations, nothing to compile
	return &served{Service: Service{Model: m}, codec: codec}
}

// printable shortens what a client sent to what an error repeats.
func printable(s string) string { return cut(s, 128) }

// cut shortens what a client sent to a number of bytes, and to valid text.
func cut(s string, most int) string {
	return strings.ToValidUTF8(s[:min(len(s), most)], "?")
}
