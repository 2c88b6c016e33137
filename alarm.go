package trellis

import "time"

// AlarmState is what an alarm says of its metric (CloudWatch API, MetricAlarm).
type AlarmState string

// The states of alarms.
const (
	AlarmOK               AlarmState = "OK"
	AlarmAlarm            AlarmState = "ALARM"
	AlarmInsufficientData AlarmState = "INSUFFICIENT_DATA"
)

// Alarm watches a metric of CloudWatch, or, as a composite alarm, other alarms.
type Alarm struct {
	Meta                                      // ID is the name
	Configuration          AlarmConfiguration `json:"configuration"`
	State                  AlarmState         `json:"state"`
	StateReason            string             `json:"stateReason"`
	StateReasonData        string             `json:"stateReasonData,omitempty"` // JSON
	StateUpdatedAt         time.Time          `json:"stateUpdatedAt"`
	StateTransitionedAt    time.Time          `json:"stateTransitionedAt"`
	ConfigurationUpdatedAt time.Time          `json:"configurationUpdatedAt"`
	History                []AlarmEvent       `json:"history,omitempty"` // the latest last
}

// Kind is KindAlarm.
func (*Alarm) Kind() Kind { return KindAlarm }

// ARN is arn:aws:cloudwatch:region:account:alarm:name.
func (a *Alarm) ARN(region string) string { return AlarmARN(region, a.Account, a.ID) }

// Composite tells whether the alarm watches others.
func (a *Alarm) Composite() bool { return a.Configuration.Rule != "" }

// AlarmARN is the ARN of an alarm by its name.
func AlarmARN(region, account, name string) string {
	return ARN{"aws", "cloudwatch", region, account, "alarm:" + name}.String()
}

// AlarmConfiguration is what an alarm watches and does, as it was asked for.
type AlarmConfiguration struct {
	Description                      string        `json:"description,omitempty"`
	ActionsEnabled                   bool          `json:"actionsEnabled"`
	OKActions                        []string      `json:"okActions,omitempty"`
	AlarmActions                     []string      `json:"alarmActions,omitempty"`
	InsufficientDataActions          []string      `json:"insufficientDataActions,omitempty"`
	Metric                           AlarmMetric   `json:"metric,omitzero"` // without Metrics
	Metrics                          []AlarmMetric `json:"metrics,omitempty"`
	EvaluationPeriods                int           `json:"evaluationPeriods"`
	DatapointsToAlarm                int           `json:"datapointsToAlarm,omitempty"` // 0 when it was not given
	Threshold                        *float64      `json:"threshold,omitempty"`
	ThresholdMetricID                string        `json:"thresholdMetricId,omitempty"`
	ComparisonOperator               string        `json:"comparisonOperator"`
	TreatMissingData                 string        `json:"treatMissingData,omitempty"`
	EvaluateLowSampleCountPercentile string        `json:"evaluateLowSampleCountPercentile,omitempty"`
	// Rule is the expression of a composite alarm, whose other fields from Metric on are empty. A metric alarm has none.
	Rule       string           `json:"rule,omitempty"`
	Suppressor *AlarmSuppressor `json:"suppressor,omitempty"` // nil for none
}

// AlarmSuppressor is the alarm that keeps a composite one from acting (CloudWatch API, PutCompositeAlarm).
type AlarmSuppressor struct {
	Alarm           string `json:"alarm"`           // name or ARN, as it was given
	WaitPeriod      int    `json:"waitPeriod"`      // seconds
	ExtensionPeriod int    `json:"extensionPeriod"` // seconds
}

// AlarmMetric is a metric that an alarm watches, or one of its Metrics: a metric or an expression.
type AlarmMetric struct {
	ID         string           `json:"id,omitempty"` // of Metrics
	AccountID  string           `json:"accountId,omitempty"`
	Expression string           `json:"expression,omitempty"`
	Label      *string          `json:"label,omitempty"`
	ReturnData *bool            `json:"returnData,omitempty"`
	Namespace  string           `json:"namespace,omitempty"`
	Name       string           `json:"name,omitempty"`
	Dimensions []AlarmDimension `json:"dimensions,omitempty"`
	Statistic  string           `json:"statistic,omitempty"` // a percentile, too
	Period     int              `json:"period,omitempty"`    // seconds
	Unit       string           `json:"unit,omitempty"`
}

// AlarmDimension is a dimension of a metric, in the order that it was given.
type AlarmDimension struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// AlarmEvent is something that happened to an alarm (CloudWatch API, AlarmHistoryItem).
type AlarmEvent struct {
	At      time.Time `json:"at"`
	Type    string    `json:"type"` // ConfigurationUpdate or StateUpdate
	Summary string    `json:"summary"`
	Data    string    `json:"data"` // JSON
}

// Dashboard is a page of graphs: kept, not drawn.
type Dashboard struct {
	Meta        // ID is the name
	Body string `json:"body"` // JSON
}

// Kind is KindDashboard.
func (*Dashboard) Kind() Kind { return KindDashboard }

// ARN is arn:aws:cloudwatch::account:dashboard/name, without a region.
func (d *Dashboard) ARN() string { return DashboardARN(d.Account, d.ID) }

// DashboardARN is the ARN of a dashboard by its name.
func DashboardARN(account, name string) string {
	return ARN{"aws", "cloudwatch", "", account, "dashboard/" + name}.String()
}
