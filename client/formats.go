package client

// Family is a group of formats that convert among each other.
type Family string

// The families of the turbo lane.
const (
	FamilyDocument Family = "document"
	FamilyImage    Family = "image"
	FamilyMedia    Family = "media"
)
