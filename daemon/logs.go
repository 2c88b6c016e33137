package daemon

import (
	"context"
	"errors"

	"github.com/trellis-project/trellis"
	"github.com/trellis-project/trellis/accesslog"
	"github.com/trellis-project/trellis/telemetry"
)

// accessLogStream is the log stream that access-log rows are written to.
const accessLogStream = "VpcLattice_AccessLogs"

// ensureLogGroup makes sure that an access log has somewhere to go: the log group must belong to the account,
// and is made when it is missing, since the guide subscribes without creating one.
func (d *Daemon) ensureLogGroup(_ context.Context, account, arn string) error {
	a, name, err := trellis.ParseLogGroupARN(arn)
	if err != nil {
		return trellis.Invalid(trellis.FieldError{Name: "destinationArn", Message: arn + " is not the ARN of a log group"})
	}
	if a.Account != account {
		return trellis.Denied("The log group %s does not belong to the account %s", arn, account)
	}
	err = d.telemetry.Logs().CreateGroup(telemetry.LogGroup{Account: account, Name: name})
	var e *trellis.Error
	switch {
	case errors.As(err, &e) && e.Code == "ResourceAlreadyExistsException":
		return nil
	case errors.As(err, &e):
		return trellis.Invalid(trellis.FieldError{Name: "destinationArn", Message: e.Message})
	}
	return err
}

// deliver writes access-log rows to their log group.
func (d *Daemon) deliver(ctx context.Context, destinationARN string, rows []accesslog.Row) error {
	events := make([]telemetry.Event, len(rows))
	for i, r := range rows {
		events[i] = telemetry.Event{Millis: r.Time.UnixMilli(), Message: r.JSON}
	}
	return d.telemetry.Logs().Deliver(ctx, destinationARN, accessLogStream, events)
}
