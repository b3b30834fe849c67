package backend

import (
 _ "github.com/gorilla/websocket"
 _ "github.com/pdfcpu/pdfcpu/pkg/api"
)
