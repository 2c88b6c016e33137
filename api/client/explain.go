package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/api/wire"
)

// Explain asks what was decided about the requests with an id on the data plane, the latest first. It is no operation of
// AWS's (docs/decisions/0016-explaining-a-request.md). An error of the server is a *trellis.Error.
func (c *Client) Explain(ctx context.Context, requestID string) ([]trellis.Explanation, error) {
	r := &wire.Request{Method: http.MethodGet, Path: "/trellis/explain", RawQuery: url.Values{"requestId": {requestID}}.Encode(), Header: http.Header{}}
	answer, err := c.exchange(ctx, "trellis", r)
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	if answer.Status != http.StatusOK {
		codec, err := c.codec("vpc-lattice") // errors have the form of its protocol
		if err != nil {
			return nil, err
		}
		return nil, codec.DecodeError(answer)
	}
	var out struct {
		Explanations []trellis.Explanation `json:"explanations"`
	}
	if err := json.Unmarshal(answer.Body, &out); err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	return out.Explanations, nil
}
