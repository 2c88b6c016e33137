package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api/wire"
	"github.com/trellis-project/trellis/sigv4"
)

// What Trellis answers beside AWS's services, signed as they are (docs/decisions/0016-explaining-a-request.md).
const (
	ownSigner   = "trellis" // signing name, and prefix of actions
	explainPath = "/trellis/explain"
	explainName = "ExplainRequest"
	// maxRequestID bounds the id that is asked for: clients may choose one of so many bytes (VPC Lattice user guide,
	// monitoring-access-logs).
	maxRequestID = 512
)

// Explanations is the answer to GET /trellis/explain.
type Explanations struct {
	Explanations []trellis.Explanation `json:"explanations"` // the latest first, since several requests can have one id
}

// explain answers GET /trellis/explain?requestId=ID: what was decided about a request to a service or network of the
// caller's account. Who may not ask is told so before anything is looked for.
func (x *exchange) explain(a *sigv4.Authorization) (*wire.Response, error) {
	x.call.Service, x.call.Operation = ownSigner, explainName
	if a.Service != ownSigner {
		return nil, trellis.NewError(http.StatusForbidden, codeInvalidSignature, "Credential should be scoped to correct service: '%s'.", ownSigner)
	}
	if x.request.Method != http.MethodGet {
		return nil, trellis.NewError(http.StatusMethodNotAllowed, codeUnknownOperation, "%s is asked by GET", explainPath)
	}
	query, err := url.ParseQuery(x.request.RawQuery)
	ids := query["requestId"]
	if err != nil || len(ids) != 1 || ids[0] == "" || len(ids[0]) > maxRequestID {
		return nil, trellis.Invalid(trellis.FieldError{Name: "requestId", Message: "must be the id of one request, which is x-amzn-requestid of its answer"})
	}
	arn := trellis.ARN{Partition: "aws", Service: ownSigner, Region: x.server.options.Region, Account: x.call.Account, Resource: "request/" + ids[0]}
	if err := x.call.Authorize(ownSigner+":"+explainName, arn.String(), nil); err != nil {
		return nil, err
	}
	if x.server.options.Explain == nil {
		return nil, errors.New("this endpoint explains nothing")
	}
	found, err := x.server.options.Explain(ids[0], x.call.Account)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(Explanations{found})
	if err != nil {
		return nil, err
	}
	return &wire.Response{Status: http.StatusOK, Header: map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store"}, Body: body}, nil
}
