package links

import (
	"slices"
	"strings"
)

// relations are the addresses that a part of an Office document may only use for readers, and how often something else
// uses one: programs look at the name of a relation, not at what it was meant for.
type relations map[string]*relation

type relation struct{ abused bool }

// harmless are the elements that only readers follow, or nobody.
var harmless = strings.Fields("hyperlink hlinkClick hlinkHover hlinkMouseOver attachedTemplate")

func (r relations) use(element, value string) {
	if known := r[value]; known != nil && !slices.Contains(harmless, element) {
		known.abused = true
	}
}

func relationKind(kind string) string {
	switch kind {
	case "image", "hyperlink":
		return "pictures"
	case "oleObject", "package":
		return "objects"
	case "externalLinkPath", "externalLink", "xlPathMissing":
		return "tables"
	case "subDocument", "frame", "aFChunk":
		return "documents"
	case "video", "media":
		return "films"
	case "audio":
		return "sounds"
	}
	return "files"
}
