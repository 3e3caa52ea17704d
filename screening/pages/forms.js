/**
 * The forms of `screening/views/forms.py`, as the pages read them; a test compares the two.
 * What the fields mean is told there.
 */

/** @typedef {'computed'|'predicted'|'infeasible'|'unstable'|'failed'} Outcome */

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
 * @property {QuantityView[]} beside
 * @property {SecondObjectiveView|null} also
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
 * @typedef {object} RefusalGroup
 * @property {string} reason
 * @property {number} count
 * @property {string} example
 */

/**
 * @typedef {object} CostShare
 * @property {string} name
 * @property {number} candidates
 * @property {number} force_calls
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
 * @property {string} formula
 * @property {number} space_group_number
 * @property {Outcome} outcome
 * @property {number|null} value
 * @property {number|null} value_error
 * @property {number|null} predicted_value
 * @property {number|null} predicted_low
 * @property {number|null} predicted_high
 * @property {string|null} engine
 * @property {string} reason
 * @property {Object<string, number|string|boolean|null>} beside
 * @property {boolean|null} on_front
 */

/**
 * @typedef {object} RankingPage
 * @property {number} total
 * @property {number} offset
 * @property {RankingRow[]} rows
 */

/**
 * @typedef {object} ProgressView
 * @property {number[]} number
 * @property {number[]} round
 * @property {string[]} candidate_id
 * @property {string[]} formula
 * @property {(Outcome)[]} outcome
 * @property {(number|null)[]} value
 * @property {(number|null)[]} best
 * @property {(number|null)[]} random_best
 * @property {number} random_known
 * @property {number} random_predicted
 */

/**
 * @typedef {object} CalibrationView
 * @property {number} count
 * @property {number} typical_error
 * @property {number} coverage_1std
 * @property {number} rank_correlation
 */

/**
 * @typedef {object} ParityView
 * @property {string[]} candidate_id
 * @property {string[]} formula
 * @property {number[]} number
 * @property {number[]} computed
 * @property {(number|null)[]} computed_error
 * @property {number[]} predicted
 * @property {number[]} predicted_low
 * @property {number[]} predicted_high
 * @property {number|null} coverage_1std
 * @property {CalibrationView|null} calibration
 */

/**
 * @typedef {object} TradeOffView
 * @property {string[]} candidate_id
 * @property {string[]} formula
 * @property {number[]} value
 * @property {(number|null)[]} value_error
 * @property {number[]} second
 * @property {boolean[]} on_front
 */

/**
 * @typedef {object} PoolMapView
 * @property {[number, number]} explained_fraction
 * @property {string[]} candidate_id
 * @property {string[]} formula
 * @property {number[]} x
 * @property {number[]} y
 * @property {(Outcome)[]} outcome
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
 * @property {string} formula
 * @property {string} space_group
 * @property {[[number, number, number], [number, number, number], [number, number, number]]} lattice_a
 * @property {Site[]} sites
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
 * @typedef {object} BandsView
 * @property {number[][]} distance_per_a
 * @property {number[][][]} frequency_thz
 * @property {[string, string][]} labels
 */

/**
 * @typedef {object} DosView
 * @property {number[]} frequency_thz
 * @property {number[]} dos_per_thz
 */

/**
 * @typedef {object} ConductivityView
 * @property {[number, number, number]} mesh
 * @property {number[]} temperature_k
 * @property {number[]} kappa_w_per_m_k
 * @property {number[]} kappa_xx_w_per_m_k
 * @property {number[]} kappa_yy_w_per_m_k
 * @property {number[]} kappa_zz_w_per_m_k
 */

/**
 * @typedef {object} AccumulationView
 * @property {number[]} frequency_thz
 * @property {number[]} kappa_of_frequency_w_per_m_k
 * @property {number[]} mean_free_path_nm
 * @property {number[]} kappa_of_mean_free_path_w_per_m_k
 */

/**
 * @typedef {object} MeshView
 * @property {[number, number, number][]} mesh
 * @property {number[]} kappa_300k_w_per_m_k
 * @property {number} limit_w_per_m_k
 * @property {number} limit_error_w_per_m_k
 */

/**
 * @typedef {object} ElectrodePathView
 * @property {string} working_ion
 * @property {string[]} formula
 * @property {number[]} working_ions
 * @property {number[]} volume_a3
 * @property {number[]} step_ions_charged
 * @property {number[]} step_ions_discharged
 * @property {number[]} step_voltage_v
 */

/**
 * @typedef {object} PickView
 * @property {string} engine
 * @property {number} number
 * @property {number} round
 * @property {string} state
 * @property {string} reason
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
 * @property {CrystalView} crystal
 * @property {boolean} relaxed
 * @property {Fact[]} facts
 * @property {PickView[]} picks
 * @property {Object<string, string>} provenance
 * @property {BandsView|null} bands
 * @property {DosView|null} dos
 * @property {ConductivityView|null} conductivity
 * @property {AccumulationView|null} accumulation
 * @property {MeshView|null} meshes
 * @property {ElectrodePathView|null} electrode_path
 */
