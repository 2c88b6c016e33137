package targetgroup

import "context"

// checking is the running health check of a target.
type checking struct{ stop context.CancelFunc }
