package identity

// maxUnitDepth is how deep organizational units nest below the root (Organizations quotas).
const maxUnitDepth = 5
