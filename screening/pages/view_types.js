/**
 * The forms of `screening/views/forms.py`, as the pages read them; a test compares the two.
 * What the fields mean is told there.
 */

/** @typedef {'computed'|'predicted'|'infeasible'|'unstable'|'failed'} Outcome */
/** @typedef {Outcome|'first'|'second'|'third'|'fourth'|'guide'|'value'} Role */
/** @typedef {CurveView|PhononView|SpectralView|PoolMapView} AnyPicture */

/**
 * @typedef {object} QuantityView
 * @property {string} field
 * @property {string} label
 * @property {string} unit
 */

/**
 * @typedef {object} SecondObjectiveView
 * @property {string} field
 * @property {string} label
 * @property {string} unit
 * @property {'minimize'|'maximize'} direction
 */

/**
 * @typedef {object} ObjectiveView
 * @property {string} name
 * @property {QuantityView} value
 * @property {string|null} error_field
 * @property {'minimize'|'maximize'} direction
 * @property {boolean} logarithmic
 * @property {QuantityView} label
 * @property {QuantityView[]} facts
 * @property {boolean} elements
 * @property {QuantityView[]} shown_fields
 * @property {SecondObjectiveView|null} second_objective
 * @property {string} error_basis
 */

/**
 * @typedef {object} CampaignLine
 * @property {string} name
 * @property {string} target
 * @property {'active'|'paused'|'cancelled'} status
 * @property {string} created_at
 */

/**
 * @typedef {object} OutcomeGroup
 * @property {Outcome} outcome
 * @property {string} reason
 * @property {number} count
 * @property {string[]} candidate_ids
 */

/**
 * @typedef {object} FigureView
 * @property {string} name
 * @property {string} title
 */

/**
 * @typedef {object} RefusalGroup
 * @property {string} reason
 * @property {number} count
 * @property {string} example
 */

/**
 * @typedef {object} CostShare
 * @property {string} name
 * @property {number} candidates
 * @property {number} cost
 * @property {string} cost_unit
 * @property {number} wall_h
 */

/**
 * @typedef {object} Overview
 * @property {string} name
 * @property {string} description
 * @property {string} target
 * @property {'active'|'paused'|'cancelled'} status
 * @property {boolean} finished
 * @property {string} created_at
 * @property {string} revision
 * @property {ObjectiveView} objective
 * @property {string[]} engines
 * @property {string} sampler
 * @property {number} seed
 * @property {string|null} prior
 * @property {number} pool
 * @property {number} budget
 * @property {number} batch_size
 * @property {Object<string, number>} counts
 * @property {number|null} candidates_per_hour
 * @property {string|null} expected_end
 * @property {string|null} best_candidate_id
 * @property {number|null} best_value
 * @property {number|null} best_expected_value
 * @property {FigureView[]} figures
 * @property {OutcomeGroup[]} outcomes
 * @property {RefusalGroup[]} refusals
 * @property {string[]} remarks
 * @property {CostShare[]} cost_by_engine
 * @property {CostShare[]} cost_by_step
 */

/**
 * @typedef {object} RankingRow
 * @property {number} rank
 * @property {string} candidate_id
 * @property {string} material_id
 * @property {string} label
 * @property {Outcome} outcome
 * @property {number|null} value
 * @property {number|null} value_error
 * @property {number|null} total_low
 * @property {number|null} total_high
 * @property {number|null} estimate
 * @property {number|null} estimate_error
 * @property {number|null} probability_unstable
 * @property {number|null} expected_value
 * @property {number|null} expected_low
 * @property {number|null} expected_high
 * @property {string} error_basis
 * @property {boolean|null} extrapolated
 * @property {number|null} predicted_value
 * @property {number|null} predicted_low
 * @property {number|null} predicted_high
 * @property {string|null} engine
 * @property {string} reason
 * @property {Object<string, number|string|boolean|null>} facts
 * @property {Object<string, number|string|boolean|null>} shown_fields
 * @property {Object<string, number>} shown_total_std
 * @property {boolean|null} on_front
 */

/**
 * @typedef {object} RankingPage
 * @property {number} total
 * @property {number} offset
 * @property {RankingRow[]} rows
 */

/**
 * @typedef {object} Picture
 * @property {string} name
 * @property {string} title
 * @property {string} caption
 * @property {string} absent
 */

/**
 * @typedef {object} Tick
 * @property {number} at
 * @property {string} name
 */

/**
 * @typedef {object} Axis
 * @property {string} title
 * @property {boolean} logarithmic
 * @property {number|null} low
 * @property {number|null} high
 * @property {boolean} whole
 * @property {Tick[]} ticks
 */

/**
 * @typedef {object} Line
 * @property {string} label
 * @property {Role} role
 * @property {'line'|'points'|'line and points'|'step after'|'step before'|'area'} shape
 * @property {number[]} x
 * @property {number[]} y
 * @property {number[]} x_error
 * @property {number[]} y_low
 * @property {number[]} y_high
 * @property {string[]} ids
 * @property {string[]} texts
 */

/**
 * @typedef {object} Note
 * @property {number} x
 * @property {number} y
 * @property {string} text
 * @property {'above'|'below'|'right'} place
 */

/**
 * @typedef {object} CurveView
 * @property {string} name
 * @property {string} title
 * @property {string} caption
 * @property {string} absent
 * @property {'curve'} form
 * @property {string} headline
 * @property {Axis} x
 * @property {Axis} y
 * @property {Line[]} lines
 * @property {Note[]} notes
 * @property {boolean} square
 */

/**
 * @typedef {object} PhononView
 * @property {string} name
 * @property {string} title
 * @property {string} caption
 * @property {string} absent
 * @property {'phonons'} form
 * @property {number[][]} distance_per_a
 * @property {number[][][]} frequency_thz
 * @property {[string, string][]} labels
 * @property {number[]} dos_frequency_thz
 * @property {number[]} dos_per_thz
 */

/**
 * @typedef {object} SpectralView
 * @property {string} name
 * @property {string} title
 * @property {string} caption
 * @property {string} absent
 * @property {'spectral'} form
 * @property {number[][]} distance_per_a
 * @property {[string, string][]} labels
 * @property {number[]} frequency_thz
 * @property {number[][][]} intensity_per_thz
 */

/**
 * @typedef {object} PoolMapView
 * @property {string} name
 * @property {string} title
 * @property {string} caption
 * @property {string} absent
 * @property {'map'} form
 * @property {[number, number]} explained_fraction
 * @property {string[]} candidate_id
 * @property {string[]} label
 * @property {number[]} x
 * @property {number[]} y
 * @property {Outcome[]} outcome
 * @property {(number|null)[]} number
 * @property {(number|null)[]} round
 * @property {(number|null)[]} value
 * @property {number} shown
 * @property {number} pool
 */

/**
 * @typedef {object} Site
 * @property {string} element
 * @property {[number, number, number]} position_a
 */

/**
 * @typedef {object} CrystalView
 * @property {'crystal'} form
 * @property {string} caption
 * @property {string} formula
 * @property {string} space_group
 * @property {[[number, number, number], [number, number, number], [number, number, number]]} lattice_a
 * @property {Site[]} sites
 */

/**
 * @typedef {object} SvgView
 * @property {'svg'} form
 * @property {string} caption
 * @property {string} svg
 */

/**
 * @typedef {object} Fact
 * @property {string} label
 * @property {number|string|boolean|null} value
 * @property {string} unit
 */

/**
 * @typedef {object} Origin
 * @property {string} source
 * @property {string} material_id
 * @property {string} note
 */

/**
 * @typedef {object} PickView
 * @property {string} engine
 * @property {number} number
 * @property {number} round
 * @property {string} state
 * @property {string} reason_text
 * @property {number|null} predicted_value
 * @property {number|null} predicted_low
 * @property {number|null} predicted_high
 * @property {number} fitted_on
 * @property {number|null} place
 * @property {string[]} neighbours
 * @property {string} error
 */

/**
 * @typedef {object} CandidateView
 * @property {RankingRow} row
 * @property {Origin[]} origins
 * @property {CrystalView|SvgView|null} picture
 * @property {boolean} relaxed
 * @property {Fact[]} facts
 * @property {PickView[]} picks
 * @property {Object<string, string>} provenance
 * @property {AnyPicture[]} curves
 */
