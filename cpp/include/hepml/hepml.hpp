#pragma once

// Everything: load a network, evaluate it event by event, from variables or from towers.
#include <hepml/columns.hpp>
#include <hepml/efp.hpp>
#include <hepml/error.hpp>
#include <hepml/events.hpp>
#include <hepml/export.hpp>
#include <hepml/model.hpp>
#include <hepml/monitor.hpp>
#include <hepml/ranges.hpp>
#include <hepml/session.hpp>
#include <hepml/span.hpp>
#include <hepml/tagger.hpp>
#include <hepml/tower.hpp>
#include <hepml/version.hpp>
