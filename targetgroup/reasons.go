package targetgroup

import "github.com/trellis-project/trellis"

// The reason codes of targets that are not HEALTHY. AWS's documentation names TargetGroupNotInUse and
// HealthCheckNotSupported; the others are worded after them.
const (
	reasonNotInUse     = "TargetGroupNotInUse"
	reasonNotSupported = "HealthCheckNotSupported" // functions and load balancers
	reasonDisabled     = "HealthCheckDisabled"
	reasonInitial      = "InitialHealthChecking"
	reasonDraining     = "DeregistrationInProgress"
	reasonFailed       = "HealthCheckFailed" // no connection, or no HTTP answer
	reasonTimeout      = "HealthCheckTimeout"
	reasonMismatch     = "ResponseCodeMismatch"
)

// resting is the health of a target that is not checked now, and false when it has to be checked.
func resting(g *trellis.TargetGroup, t *trellis.Target, used bool) (Health, bool) {
	switch {
	case t.DrainingSince != nil:
		return Health{trellis.TargetDraining, reasonDraining}, true
	case !used:
		return Health{trellis.TargetUnused, reasonNotInUse}, true
	case g.Type == trellis.TargetsLambda, g.Type == trellis.TargetsALB:
		return Health{trellis.TargetUnavailable, reasonNotSupported}, true
	case g.HealthCheck == nil, !g.HealthCheck.Enabled:
		return Health{trellis.TargetUnavailable, reasonDisabled}, true
	}
	return Health{}, false
}
