package trellis

import "time"

// AppliedQuota is a limit of an account that differs from the default, with the requests that raised it (Service Quotas
// API, ServiceQuota).
type AppliedQuota struct {
	Meta                  // ID is SERVICE/CODE, for example vpc-lattice/L-D64E952E
	Value   int           `json:"value"`
	Changes []QuotaChange `json:"changes"` // the oldest first
}

// QuotaChange is a request for a higher limit (Service Quotas API, RequestedServiceQuotaChange). It was carried out when it
// was made.
type QuotaChange struct {
	ID        string    `json:"id"` // 40 letters and digits, as AWS's
	Value     int       `json:"value"`
	Requester string    `json:"requester"` // JSON that names who asked
	CreatedAt time.Time `json:"createdAt"`
}

// Kind is KindAppliedQuota.
func (*AppliedQuota) Kind() Kind { return KindAppliedQuota }

// ARN is arn:aws:servicequotas:region:account:service/code.
func (q *AppliedQuota) ARN(region string) string {
	return ARN{Partition: "aws", Service: "servicequotas", Region: region, Account: q.Account, Resource: q.ID}.String()
}
