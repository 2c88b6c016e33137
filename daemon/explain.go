package daemon

import (
	"net/http"

	"github.com/trellis-project/trellis"
)

// explain finds what this node has decided about a request, as far as an account may know it. Requests that other nodes have
// served are not looked for.
func (d *Daemon) explain(requestID, account string) ([]trellis.Explanation, error) {
	if found := d.dataPlane.Explain(requestID, account); found != nil {
		return found, nil
	}
	allowed, denied := d.dataPlane.Kept()
	return nil, trellis.NewError(http.StatusNotFound, "ResourceNotFoundException",
		"No decision about a request %s is kept that account %s may see. Kept are the latest %d requests that were allowed and the latest %d that were denied, "+
			"since this node started, and shown to the accounts of their service and service network. A request that came to no decision "+
			"(400, 404, 408, 413, 421, 429 and 5xx) has its reason in failureReason of the access log; the reasons of older denials are there too, as authDeniedDetail.",
		requestID, account, allowed, denied)
}
