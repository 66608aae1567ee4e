"""Objects as released versions wrote them; they must open for ever."""
