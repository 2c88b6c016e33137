# The guide's Insights query, asked until the denied requests have arrived.
for _ in $(seq 20); do
  ID=$(aws logs start-query --log-group-name /aws/vpclattice/orders \
    --start-time "$(($(date +%s) - 600))" --end-time "$(($(date +%s) + 60))" \
    --query-string 'fields @timestamp, sourceIpPort, requestMethod, requestPath, responseCode, authDeniedReason, requestToTargetDuration
| filter responseCode = 403
| sort @timestamp desc
| limit 50' --query queryId --output text)
  ROWS=$(aws logs get-query-results --query-id "$ID" --query 'length(results)' --output text)
  [ "$ROWS" -ge 2 ] && break
done
aws logs get-query-results --query-id "$ID" --output json
